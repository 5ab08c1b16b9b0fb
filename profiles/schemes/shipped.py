"""Where the weights of the schemes lie."""

from profiles.models import weights

SHIPPED = weights.SHIPPED.parent / "schemes"
