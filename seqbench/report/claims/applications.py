"""The claim on applications: what LSTMs are said to be good for."""

from collections.abc import Iterator

from seqbench.report.claims.claim import Claim, Finding
from seqbench.report.claims.evidence import Evidence, Runs, TableRow
from seqbench.report.claims.rates import judge_difference, judge_rate

USES = {
    "language": TableRow("time-machine", 50, "lstm"),
    "speech": TableRow("spoken-digits", 0, "lstm"),
    "time series": TableRow("series", 72, "lstm"),
    "text classification (sentiment)": TableRow("sentiment", 80, "lstm"),
    "text classification (topics)": TableRow("topics", 80, "lstm"),
    "anomaly detection": TableRow("anomaly", 96, "lstm"),
    "translation": TableRow("date-translation", 4, "lstm"),
}
VIDEO = TableRow("moving-shapes", 5, "cnn_lstm")


def applications(evidence: Evidence) -> Iterator[Finding]:
    """Say of each use: it holds if most runs of the LSTM beat the trivial baseline, and does not if most do not.

    The baseline is the threshold of the task: pairs of characters, the mean of the frames, the last value or day,
    counted words, the best of four alarms without learning; of translation, nearly all dates right. Most: nine of ten
    runs, or one of ten. Video holds if the CNN-LSTM solves more often than the mean of the frames does.
    """
    for use, row in USES.items():
        yield judge_rate(evidence, row, use)
    yield judge_difference(evidence, VIDEO._replace(model="frame_average"), VIDEO, "video")


APPLICATIONS = Claim(
    "applications",
    "LSTMs suit language, speech, time series, video, text classification, anomaly detection, translation.",
    "One small real task each, against its trivial baseline; made videos and made dates for two of them.",
    tuple(map(Runs, (*USES.values(), VIDEO, VIDEO._replace(model="frame_average")))),
    applications,
)
