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
    /// <summary>
    /// Milliseconds, some pauses of a lender. It pauses first for the mount that it could not serve, and from then on for the next one, which it cannot take. Nothing tells
    /// from outside which of the two it is in, and to look at its thread takes a descriptor; on a slow machine it may be in the first for all that, and does the same in it.
    /// </summary>
    private const int SomePauses = 300;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(0)]
    [InlineData(SomePauses)]
    public void ALenderWithoutADescriptorHangsUpOnItsMountAndEndsAllTheSame(int milliseconds)
    {
        using TempDirectory directory = new();
        FileLender lender = Start(directory);
        using Mounts mounts = new();
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
            isHungUpOn = mounts.IsOneHungUpOn(none, directory);

            // Before the lender has it again: it pauses.
            SpinWait.SpinUntil(() => none.TakeFreed() > 0, TimeSpan.FromSeconds(1));
            isTime.Wait(milliseconds);
            isTime.Set();
            isEnded = ending.Join(Patience);
        }

        ending.Join();
        Assert.True(isHungUpOn, "a mount waits that nobody serves");
        Assert.True(isEnded, "it has waited for a descriptor");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(SomePauses)]
    public void AMountThatNoThreadCanServeDoesNotEndTheNode(int milliseconds)
    {
        using TempDirectory directory = new();
        using FileLender lender = Start(directory);
        using ManualResetEventSlim never = new();
        using (Mounts mounts = new())
        using (NoDescriptors none = NoDescriptors.Begin())
        {
            Assert.True(mounts.IsOneHungUpOn(none, directory), "a mount waits that nobody serves");
            SpinWait.SpinUntil(() => none.TakeFreed() > 0, TimeSpan.FromSeconds(1));
            never.Wait(milliseconds);
        }

        LendingWorld.Eventually("it is forgotten", () => lender.Connections == 0);
        using Socket next = Unconnected();
        Connect(next, directory);
        Assert.True(next.Receive(new byte[LendingMessage.MaxBytes]) > 0, "no greeting");
    }

    /// <summary>A lender that ends just then waits for all that it has accepted.</summary>
    [Fact]
    public void NobodyWaitsForAConnectionThatCouldNotBegin()
    {
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using LendingSocket mount = LendingSocket.Connect(directory["socket"]);
        LenderConnection? forgotten = null;
        LenderConnection connection = new(listener.Accept(out _)!, Options(directory), new LoanBook(1, 1), new LenderLog(NullLogger.Instance, TimeProvider.System), ended => forgotten = ended);
        bool isStarted;
        using (NoDescriptors.Begin())
        {
            isStarted = connection.TryStart();
        }

        Thread waiting = new(connection.Join) { IsBackground = true };
        waiting.Start();
        Assert.False(isStarted, "there was a descriptor for its thread, so nothing was proved");
        Assert.True(waiting.Join(Patience), "it is waited for");
        Assert.Same(connection, forgotten);
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

    /// <summary>Mounts to come: whatever else gives a descriptor back at the wrong moment lets one be served, and the next is tried.</summary>
    private sealed class Mounts : IDisposable
    {
        private readonly Socket[] _mounts = [Unconnected(), Unconnected(), Unconnected(), Unconnected()];

        internal bool IsOneHungUpOn(NoDescriptors none, TempDirectory directory)
        {
            foreach (Socket mount in _mounts)
            {
                none.TakeFreed();
                Connect(mount, directory);
                if (mount.Poll(Patience / _mounts.Length, SelectMode.SelectRead) && mount.Receive(new byte[LendingMessage.MaxBytes]) == 0)
                {
                    return true;
                }
            }

            return false;
        }

        public void Dispose() => Array.ForEach(_mounts, mount => mount.Dispose());
    }

    /// <summary>One that has taken a mount before: what that loads takes descriptors, too.</summary>
    private static FileLender Start(TempDirectory directory)
    {
        FileLender lender = FileLender.Start(Options(directory), TimeProvider.System, NullLogger.Instance);
        using (Socket first = Unconnected())
        {
            Connect(first, directory);
            Assert.True(first.Receive(new byte[LendingMessage.MaxBytes]) > 0, "no greeting");
        }

        LendingWorld.Eventually("it waits for the next", () => lender.Connections == 0);
        return lender;
    }

    private static FileLenderOptions Options(TempDirectory directory)
        => new() { Path = directory["socket"], NodeId = Guid.NewGuid(), Find = _ => null, SecretOf = _ => null, MayRead = (_, _, _) => false };

    /// <summary>Made before descriptors lack, connected when they do.</summary>
    private static Socket Unconnected() => new(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified) { ReceiveTimeout = (int)Patience.TotalMilliseconds };

    private static void Connect(Socket mount, TempDirectory directory) => mount.Connect(new UnixDomainSocketEndPoint(directory["socket"]));
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(LenderShortageTests), DisableParallelization = true)]
public sealed class LenderShortageCollection;
