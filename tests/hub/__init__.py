"""A GitHub on loopback: its interface, its runners and the actions of others, as far as the workflows use them."""
