"""Stores as earlier versions left them. ``produce`` made them with the code of those versions; tests read them."""
