"""What computing needs: device and precision, several processes, memory, random streams, the stop signal."""
