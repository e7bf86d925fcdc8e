"""The models, by name."""

from seqbench.catalogue import Catalogue

MODELS = Catalogue(
    "model",
    {
        "rnn": "seqbench.models.rnn:RNN",
        "lstm": "seqbench.models.lstm:LSTM",
        "lstm_peephole": "seqbench.models.lstm_peephole:PeepholeLSTM",
        "lstm_1997": "seqbench.models.lstm_1997:LSTM1997",
        "lstm_no_output": "seqbench.models.lstm_no_output:NoOutputLSTM",
        "lstm_attention": "seqbench.models.lstm_attention:AttentionLSTM",
        "bilstm": "seqbench.models.bilstm:BiLSTM",
        "gru": "seqbench.models.gru:GRU",
        "cnn_lstm": "seqbench.models.cnn_lstm:CNNLSTM",
        "pixel_lstm": "seqbench.models.pixel_lstm:PixelLSTM",
        "frame_average": "seqbench.models.frame_average:FrameAverage",
        "transformer": "seqbench.models.transformer:Transformer",
        "window_mlp": "seqbench.models.window_mlp:WindowMLP",
    },
    group="seqbench.models",
)
