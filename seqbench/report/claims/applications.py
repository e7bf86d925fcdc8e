"""The claim on applications: what LSTMs are said to be good for."""

from collections.abc import Iterator

from seqbench.report.claims.claim import Claim, Finding
from seqbench.report.claims.evidence import Evidence, Place, Runs
from seqbench.report.claims.rates import helps, learns

USES = {
    "language": Place("time-machine", 50, "lstm"),
    "speech": Place("spoken-digits", 0, "lstm"),
    "time series": Place("series", 72, "lstm"),
    "text classification (sentiment)": Place("sentiment", 80, "lstm"),
    "text classification (topics)": Place("topics", 80, "lstm"),
    "anomaly detection": Place("anomaly", 96, "lstm"),
    "translation": Place("date-translation", 4, "lstm"),
}
VIDEO = Place("moving-shapes", 5, "cnn_lstm")


def applications(seen: Evidence) -> Iterator[Finding]:
    """Say of each use: it holds if most runs of the LSTM beat the trivial baseline, and does not if most do not.

    The baseline is the threshold of the task: pairs of characters, the mean of the frames, the last value or day,
    counted words, the best of four alarms without learning; of translation, nearly all dates right. Most: nine of ten
    runs, or one of ten. Video holds if the CNN-LSTM solves more often than the mean of the frames does.
    """
    for use, cell in USES.items():
        yield learns(seen, cell, use)
    yield helps(seen, VIDEO._replace(model="frame_average"), VIDEO, "video")


APPLICATIONS = Claim(
    "applications",
    "LSTMs suit language, speech, time series, video, text classification, anomaly detection, translation.",
    "One small real task each, against its trivial baseline; made videos and made dates for two of them.",
    tuple(map(Runs, (*USES.values(), VIDEO, VIDEO._replace(model="frame_average")))),
    applications,
)
