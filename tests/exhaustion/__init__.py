"""Small worlds of which every order is played."""
