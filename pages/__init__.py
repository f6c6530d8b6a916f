"""What makes the pages: the recording of the demo in the README, and the site."""
