"""The benchmark of stacks, `polyreel bench`, as a library.

results = VectorBench(VectorSettings(records=2000), ["memory", "edge"], Path("out")).run()
report.write(results, Path("out"))
"""

from . import report
from .compare import Comparison, compare
from .results import Results, read
from .runner import VectorBench
from .settings import VectorSettings, VideoSettings
from .stacks import usual
from .video import VideoBench

__all__ = [
    "Comparison",
    "Results",
    "VectorBench",
    "VectorSettings",
    "VideoBench",
    "VideoSettings",
    "compare",
    "read",
    "report",
    "usual",
]
