using Forebay.Core.Sockets;
using Forebay.Testing;
using Xunit;

namespace Forebay.Core.Tests.Sockets;

/// <summary>A process that has no descriptor left, really. Alone: everything else in it would fail too.</summary>
[Collection(nameof(AcceptTests))]
public sealed class AcceptTests
{
    [Fact]
    public void AConnectionThatCannotBeTakenNowWaitsAndIsTakenLater()
    {
        using TempDirectory directory = new();
        using DescriptorSocket listener = DescriptorSocket.Listen(directory["socket"], 8);
        using DescriptorSocket client = DescriptorSocket.Connect(directory["socket"]);
        bool isOver;
        using (NoDescriptors.Begin())
        {
            Assert.Null(listener.Accept(out isOver));
            Assert.False(isOver);
        }

        using DescriptorSocket? accepted = listener.Accept(out isOver);

        Assert.NotNull(accepted);
        Assert.False(isOver);
    }
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(AcceptTests), DisableParallelization = true)]
public sealed class AcceptCollection;
