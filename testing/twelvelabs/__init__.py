"""A strict emulator of TwelveLabs' embedding API on this machine, for tests through the vendor's own SDK.

    with emulating(task_seconds=0.2) as service:
        MarengoEmbedder(base_url=service.base_url, api_key=service.secret)

It takes what the vendor documents and refuses everything else, field by field; it was never compared with the
service itself. Vectors are those of the builtin embedder's pictures, so that searches make sense.
"""

from .faults import Fault
from .server import Emulator, emulating

__all__ = ["Emulator", "Fault", "emulating"]
