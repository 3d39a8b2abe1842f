"""What must survive: kill -9 at any moment, full disks, locked and restarted databases, a second node."""
