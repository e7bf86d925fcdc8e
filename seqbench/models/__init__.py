"""The models, by name."""

from seqbench.catalogue import Catalogue

MODELS = Catalogue(
    "model",
    {
        "rnn": "seqbench.models.rnn:RNN",
        "lstm": "seqbench.models.lstm:LSTM",
        "lstm_peephole": "seqbench.models.lstm_peephole:PeepholeLSTM",
        "lstm_1997": "seqbench.models.lstm_1997:LSTM1997",
        "gru": "seqbench.models.gru:GRU",
        "cnn_lstm": "seqbench.models.cnn_lstm:CNNLSTM",
        "transformer": "seqbench.models.transformer:Transformer",
    },
    group="seqbench.models",
)
