using Forebay.Core.Sockets;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;
using Xunit;

namespace Forebay.Core.Tests.Sockets;

/// <summary>A process that has no descriptor left, really. Alone: everything else in it would fail too.</summary>
[Collection(nameof(ShortageTests))]
public sealed class ShortageTests
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

    /// <summary>For whoever takes connections in a loop: it must know the end by other means, too.</summary>
    [Fact]
    public void TheEndOfListeningIsNotToldUntilADescriptorIsFree()
    {
        using TempDirectory directory = new();
        using DescriptorSocket listener = DescriptorSocket.Listen(directory["socket"], 8);
        bool isOver;
        using (NoDescriptors.Begin())
        {
            listener.ShutDown();
            Assert.Null(listener.Accept(out isOver));
            Assert.False(isOver);
        }

        Assert.Null(listener.Accept(out isOver));
        Assert.True(isOver);
    }

    [Fact]
    public void AMessageWhoseDescriptorCannotBeOpenedCountsAsTruncated()
    {
        (DescriptorSocket left, DescriptorSocket right) = DescriptorSocket.Pair();
        using (left)
        using (right)
        {
            Assert.True(left.Send("text"u8, [left.Handle]));
            SafeFileHandle[] received;
            bool isTruncated;
            using (NoDescriptors.Begin())
            {
                Assert.Equal(4, right.Receive(new byte[10], out received, out isTruncated));
            }

            Assert.True(isTruncated);
            Assert.Empty(received);
        }
    }
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(ShortageTests), DisableParallelization = true)]
public sealed class ShortageCollection;
