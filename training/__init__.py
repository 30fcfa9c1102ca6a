"""How the calibration of a pack is fitted and chosen. The product never imports this."""
