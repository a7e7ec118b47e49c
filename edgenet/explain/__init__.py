"""What goes on inside a network: its maps, its kernels, its gradients, and how sure it is."""
