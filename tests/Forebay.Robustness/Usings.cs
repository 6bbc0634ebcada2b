global using Forebay.Testing;
global using Xunit;

// Nodes, sources and clients are processes and threads of their own: beside each other they would measure the machine, not the node.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
