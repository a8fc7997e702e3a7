"""Whether this gateway keeps its kernels or sends them away."""

from enum import Enum


class GatewayPhase(Enum):
    """What a gateway does with its kernels."""

    SERVING = "serving"
    """It starts kernels and takes them over."""
    DRAINING = "draining"
    """An operator asked it to send its kernels to other gateways. It takes new ones only while
    nobody else would, and goes back to SERVING when the operator says so."""
    LEAVING = "leaving"
    """It was told to stop: it sends its kernels away, takes none, and ends."""


class Lifecycle:
    """The phase of one gateway. LEAVING is for good."""

    def __init__(self) -> None:
        self.phase = GatewayPhase.SERVING

    @property
    def sends_kernels_away(self) -> bool:
        return self.phase is not GatewayPhase.SERVING

    @property
    def leaving(self) -> bool:
        return self.phase is GatewayPhase.LEAVING

    def serve(self) -> None:
        """Keeps kernels again."""
        if not self.leaving:
            self.phase = GatewayPhase.SERVING

    def drain(self) -> None:
        """Sends kernels away from now on."""
        if not self.leaving:
            self.phase = GatewayPhase.DRAINING

    def leave(self) -> None:
        """Sends kernels away from now on, and ends then."""
        self.phase = GatewayPhase.LEAVING

    def takes_kernels(self, *, others_take_them: bool) -> bool:
        """Whether kernels may come here, if other gateways do take them or do not."""
        if self.phase is GatewayPhase.DRAINING:
            return not others_take_them
        return self.phase is GatewayPhase.SERVING
