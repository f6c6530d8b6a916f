"""The walk, tried from outside as its users meet it: load, kills, an exact judge, and pictures of it."""
