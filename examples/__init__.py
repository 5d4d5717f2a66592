"""Starting points: copy a folder into your service and change it."""
