using System.Net.Sockets;
using Forebay.DataPlane.Wire;
using Forebay.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Win32.SafeHandles;

namespace Forebay.DataPlane.Tests;

/// <summary>A node that has no descriptor left, really. Alone: everything else in its process would fail too.</summary>
/// <remarks>A lender that waits for a mount has taken the descriptor for it ahead; a thread to serve it takes two more while it starts.</remarks>
[Collection(nameof(LenderShortageTests))]
public sealed class LenderShortageTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public void ALenderWithoutADescriptorHangsUpOnItsMountAndEndsAllTheSame()
    {
        using TempDirectory directory = new();
        FileLender lender = Start(directory);
        using Socket mount = Unconnected();
        using ManualResetEventSlim isTime = new();
        Thread ending = new(() =>
        {
            isTime.Wait();
            lender.Dispose();
        });
        ending.Start();
        bool isHungUpOn;
        bool isEnded;
        using (NoDescriptors none = NoDescriptors.Begin())
        {
            Connect(mount, directory);
            isHungUpOn = mount.Receive(new byte[1]) == 0;

            // Before the lender has it again: it pauses.
            SpinWait.SpinUntil(() => none.TakeFreed() > 0, TimeSpan.FromSeconds(1));
            isTime.Set();
            isEnded = ending.Join(Patience);
        }

        ending.Join();
        Assert.True(isHungUpOn, "a mount waits that nobody serves");
        Assert.True(isEnded, "it has waited for a descriptor");
    }

    [Fact]
    public void AMountThatNoThreadCanServeDoesNotEndTheNode()
    {
        using TempDirectory directory = new();
        using FileLender lender = Start(directory);
        using (Socket mount = Unconnected())
        using (NoDescriptors.Begin())
        {
            Connect(mount, directory);
            Assert.Equal(0, mount.Receive(new byte[1]));
        }

        LendingWorld.Eventually("it is forgotten", () => lender.Connections == 0);
        using Socket next = Unconnected();
        Connect(next, directory);
        Assert.True(next.Receive(new byte[LendingMessage.MaxBytes]) > 0, "no greeting");
    }

    [Fact]
    public void AMessageWhoseDescriptorCannotBeOpenedIsNotCalledTooLargeOnly()
    {
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using LendingSocket sender = LendingSocket.Connect(directory["socket"]);
        using LendingSocket receiver = listener.Accept(out _)!;
        using SafeFileHandle file = File.OpenHandle("/dev/null");
        Assert.True(sender.TrySend([1], file));
        MalformedLendingException refused;
        using (NoDescriptors.Begin())
        {
            refused = Assert.Throws<MalformedLendingException>(() => receiver.Receive(new byte[10], out _));
        }

        Assert.Contains("no descriptor left", refused.Message, StringComparison.Ordinal);
    }

    /// <summary>One that has taken a mount before: what that loads takes descriptors, too.</summary>
    private static FileLender Start(TempDirectory directory)
    {
        FileLenderOptions options = new() { Path = directory["socket"], NodeId = Guid.NewGuid(), Find = _ => null, SecretOf = _ => null, MayRead = (_, _, _) => false };
        FileLender lender = FileLender.Start(options, TimeProvider.System, NullLogger.Instance);
        using (Socket first = Unconnected())
        {
            Connect(first, directory);
            Assert.True(first.Receive(new byte[LendingMessage.MaxBytes]) > 0, "no greeting");
        }

        LendingWorld.Eventually("it waits for the next", () => lender.Connections == 0);
        return lender;
    }

    /// <summary>Made before descriptors lack, connected when they do.</summary>
    private static Socket Unconnected() => new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified) { ReceiveTimeout = (int)Patience.TotalMilliseconds };

    private static void Connect(Socket mount, TempDirectory directory) => mount.Connect(new UnixDomainSocketEndPoint(directory["socket"]));
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(LenderShortageTests), DisableParallelization = true)]
public sealed class LenderShortageCollection;
