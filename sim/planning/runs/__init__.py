"""What is played: runs by number of devices, their length, the levers that change a system."""
