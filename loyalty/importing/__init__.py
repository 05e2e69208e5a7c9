"""Loading what the brand sells, where it is worth going, and what members bought and did."""
