"""The models, by name: one file per model, with its equations above the code.

What may enter: keys, from which a model draws its initial weights, sizes, and input sequences. Models know nothing of
tasks or training. Importing this room imports no torch: what plans need of each model is stated beside its name.
"""

from seqbench.models.facts import ModelCatalogue, ModelFacts

RECURRENT = ModelFacts(recurrent=True)
BLOCKS = ModelFacts(layers=2, recurrent=True)  # a recurrence in each of two residual blocks

MODELS = ModelCatalogue(
    {
        "rnn": ("seqbench.models.rnn:RNN", RECURRENT),
        "lstm": ("seqbench.models.lstm:LSTM", RECURRENT),
        "lstm_peephole": ("seqbench.models.lstm_peephole:PeepholeLSTM", RECURRENT),
        "lstm_1997": ("seqbench.models.lstm_1997:LSTM1997", RECURRENT),
        "lstm_no_output": ("seqbench.models.lstm_no_output:NoOutputLSTM", RECURRENT),
        "lstm_attention": ("seqbench.models.lstm_attention:AttentionLSTM", RECURRENT),
        "bilstm": (
            "seqbench.models.bilstm:BiLSTM",
            ModelFacts(both_ways=True, recurrent=True),
        ),
        "gru": ("seqbench.models.gru:GRU", RECURRENT),
        "cnn_lstm": (
            "seqbench.models.cnn_lstm:CNNLSTM",
            ModelFacts(reads="video", recurrent=True),
        ),
        "pixel_lstm": (
            "seqbench.models.pixel_lstm:PixelLSTM",
            ModelFacts(reads="video", recurrent=True),
        ),
        "frame_average": (
            "seqbench.models.frame_average:FrameAverage",
            ModelFacts(reads="video"),
        ),
        "transformer": ("seqbench.models.transformer:Transformer", ModelFacts(layers=2)),
        "window_mlp": ("seqbench.models.window_mlp:WindowMLP", ModelFacts()),
        "echo_state": ("seqbench.models.echo_state:EchoState", RECURRENT),
        "block": ("seqbench.models.block:ChosenCellBlocks", BLOCKS),
        "mingru": ("seqbench.models.mingru:MinGRU", BLOCKS),
        "minlstm": ("seqbench.models.minlstm:MinLSTM", BLOCKS),
        "lru": ("seqbench.models.lru:LRU", BLOCKS),
        "slstm": ("seqbench.models.slstm:SLSTM", BLOCKS),
    },
    group="seqbench.models",
)
