"""Pictures and networks that tests are made of."""
