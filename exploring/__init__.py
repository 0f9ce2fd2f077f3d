"""What is in a collection: clusters, outliers, near-duplicates and trends, from the vectors that are stored.

    from polyreel import exploring

    with polyreel.open() as vs:
        found = exploring.explore(vs)
        exploring.write_page(found, vs, "map.html")

scikit-learn (`polyreel[explore]`) is loaded when something is explored.
"""

from .explore import explore
from .page import write_page
from .report import Cluster, Duplicate, Exploration, Outlier, Point, Trend

__all__ = [
    "Cluster",
    "Duplicate",
    "Exploration",
    "Outlier",
    "Point",
    "Trend",
    "explore",
    "write_page",
]
