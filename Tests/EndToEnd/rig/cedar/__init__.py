"""Cedar's worlds, policies and requests by dice, and the two engines that answer them."""
