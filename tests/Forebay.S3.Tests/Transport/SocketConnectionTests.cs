using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Forebay.Core;
using Forebay.S3.Transport;
using Microsoft.AspNetCore.Connections;
using Xunit;

namespace Forebay.S3.Tests.Transport;

/// <summary>The connection below Kestrel, over real sockets and a real event loop.</summary>
public sealed class SocketConnectionTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly EventLoop _loop = new(0);
    private readonly List<IDisposable> _sockets = [];
    private readonly string _directory = Directory.CreateTempSubdirectory("forebay-connection-").FullName;

    [Fact]
    public async Task BytesComeInOrderHoweverTheyAreCutAndExamined()
    {
        (SocketConnection connection, Socket client) = Connect();
        byte[] sent = new byte[3_000_000];
        new Random(1).NextBytes(sent);
        Task sending = Task.Run(() =>
        {
            Random random = new(2);
            for (int offset = 0; offset < sent.Length;)
            {
                offset += client.Send(sent.AsSpan(offset, Math.Min(random.Next(1, 20_000), sent.Length - offset)));
            }

            client.Shutdown(SocketShutdown.Send);
        });

        MemoryStream received = new();
        Random random = new(3);
        while (true)
        {
            ReadResult read = await connection.Input.ReadAsync().AsTask().WaitAsync(Patience);
            long consumed = random.NextInt64(read.Buffer.Length + 1);
            if (read.IsCompleted)
            {
                consumed = read.Buffer.Length;
            }

            foreach (ReadOnlyMemory<byte> piece in read.Buffer.Slice(0, consumed))
            {
                received.Write(piece.Span);
            }

            // What is left is examined at times only in part, so that some reads wait for more and some do not.
            SequencePosition examined = random.Next(2) == 0 ? read.Buffer.End : read.Buffer.GetPosition(consumed);
            connection.Input.AdvanceTo(read.Buffer.GetPosition(consumed), examined);
            if (read.IsCompleted)
            {
                break;
            }
        }

        await sending;
        Assert.True(sent.AsSpan().SequenceEqual(received.ToArray()), "the bytes changed on their way");
    }

    [Fact]
    public async Task TheEndIsSeenThoughItCameTogetherWithTheLastBytes()
    {
        (SocketConnection connection, Socket client) = Connect();
        client.Send("last"u8);
        client.Shutdown(SocketShutdown.Send);
        Assert.True(await Task.Run(() => connection.ConnectionClosed.WaitHandle.WaitOne(Patience)), "nobody told that the client is gone");

        ReadResult read = await ReadAsync(connection);
        Assert.Equal(4, read.Buffer.Length);
        connection.Input.AdvanceTo(read.Buffer.End);
        read = await ReadAsync(connection);

        Assert.True(read.IsCompleted);
        Assert.True(read.Buffer.IsEmpty);
    }

    [Fact]
    public async Task AClientThatLeavesIsNoticedThoughNobodyReads()
    {
        (SocketConnection connection, Socket client) = Connect();

        client.Dispose();

        Assert.True(await Task.Run(() => connection.ConnectionClosed.WaitHandle.WaitOne(Patience)));
    }

    [Fact]
    public async Task ACancelledReadLosesNoByte()
    {
        (SocketConnection connection, Socket client) = Connect();
        Task<ReadResult> waiting = connection.Input.ReadAsync().AsTask();
        connection.Input.CancelPendingRead();
        ReadResult cancelled = await waiting.WaitAsync(Patience);
        connection.Input.AdvanceTo(cancelled.Buffer.Start);
        Assert.True(cancelled.IsCanceled);

        using CancellationTokenSource cancel = new();
        waiting = connection.Input.ReadAsync(cancel.Token).AsTask();
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(Patience));

        client.Send("here"u8);
        Assert.Equal(4, (await ReadAsync(connection)).Buffer.Length);
    }

    [Fact]
    public async Task AnAbortEndsTheReadAndTheFlushThatWait()
    {
        (SocketConnection connection, _) = Connect();
        using TestFile file = new(Path.Combine(_directory, "file"), 64 << 20, seed: 1);
        Task<ReadResult> read = connection.Input.ReadAsync().AsTask();
        Task<FlushResult> flush = Send(connection, file, (int)file.Length).AsTask();

        connection.Abort(new ConnectionAbortedException("a test"));

        await Assert.ThrowsAsync<ConnectionAbortedException>(() => read.WaitAsync(Patience));
        Assert.True((await flush.WaitAsync(Patience)).IsCompleted);
    }

    [Fact]
    public async Task ACancelledFlushEndsThoughTheClientTakesNothing()
    {
        (SocketConnection connection, _) = Connect();
        using TestFile file = new(Path.Combine(_directory, "file"), 64 << 20, seed: 1);
        using CancellationTokenSource cancel = new();
        Task<FlushResult> flush = Send(connection, file, (int)file.Length, cancel.Token).AsTask();

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush.WaitAsync(Patience));
    }

    /// <summary>For bytes that are left unread the kernel sends a reset in place of what the client has not taken yet.</summary>
    [Fact]
    public async Task AnAnswerIsTakenToItsEndThoughNobodyReadTheWholeRequest()
    {
        (SocketConnection connection, Socket client) = Connect();
        Socket server = (Socket)_sockets[^1];
        server.SendBufferSize = 1 << 20;
        client.Send(new byte[50_000]);
        SpinWait.SpinUntil(() => server.Available == 50_000, Patience);

        await connection.Output.WriteAsync(new byte[200_000]).AsTask().WaitAsync(Patience);
        await connection.DisposeAsync();

        byte[] some = new byte[10_000];
        int received = 0;
        while (client.Receive(some) is > 0 and int count)
        {
            received += count;
        }

        Assert.Equal(200_000, received);
    }

    [Fact]
    public async Task ThePlaceOfAConnectionIsGivenOnUnderAnotherTag()
    {
        (SocketConnection first, _) = Connect();
        await first.DisposeAsync();

        (SocketConnection next, _) = Connect();

        Assert.Equal((uint)first.Tag, (uint)next.Tag);
        Assert.NotEqual(first.Tag, next.Tag);
    }

    [Fact]
    public async Task StoppingTheLoopEndsItsConnections()
    {
        (SocketConnection connection, _) = Connect();
        Task<ReadResult> read = connection.Input.ReadAsync().AsTask();

        _loop.Dispose();

        await Assert.ThrowsAsync<ConnectionAbortedException>(() => read.WaitAsync(Patience));
    }

    [Fact]
    public async Task OnePipeliningClientDoesNotStarveTheOthersOfItsLoop()
    {
        LeaveContext();
        (SocketConnection greedy, Socket greedyClient) = Connect(inline: true);
        (SocketConnection other, Socket otherClient) = Connect(inline: true);
        int served = 0;
        int servedBefore = -1;

        // Both answer one byte a time, as if each were a request; the other's byte has come before the second of the greedy is served.
        Socket otherServer = (Socket)_sockets[^1];
        Task greedyServing = ServeAsync(greedy, () =>
        {
            if (Interlocked.Increment(ref served) == 1)
            {
                otherClient.Send("x"u8);
                SpinWait.SpinUntil(() => otherServer.Available > 0);
            }
        });
        Task otherServing = ServeAsync(other, () => Volatile.Write(ref servedBefore, Volatile.Read(ref served)));
        greedyClient.Send(new byte[2000]);
        greedyClient.Shutdown(SocketShutdown.Send);
        await greedyServing.WaitAsync(Patience);
        otherClient.Shutdown(SocketShutdown.Send);
        await otherServing.WaitAsync(Patience);

        Assert.Equal(2000, served);
        Assert.InRange(servedBefore, 1, 1000);

        static async Task ServeAsync(SocketConnection connection, Action serve)
        {
            while (true)
            {
                ReadResult read = await connection.Input.ReadAsync();
                if (read.Buffer.IsEmpty)
                {
                    return;
                }

                serve();
                connection.Input.AdvanceTo(read.Buffer.GetPosition(1));
            }
        }
    }

    [Fact]
    public async Task AnEventThatComesLateDoesNotMeetTheConnectionThatTookThePlace()
    {
        LeaveContext();
        (SocketConnection holding, Socket holdingClient) = Connect(inline: true);
        (SocketConnection first, Socket firstClient) = Connect(inline: true);
        Socket firstServer = (Socket)_sockets[^1];
        (SocketConnection gone, Socket goneClient) = Connect();
        Socket goneServer = (Socket)_sockets[^1];
        (Socket accepted, _) = Pair();
        SocketConnection? next = null;
        using ManualResetEventSlim isHeld = new();
        using ManualResetEventSlim goOn = new();

        // While the loop is held two events come, so that it gets both at once; what the first one does makes the second one late.
        Task held = HoldAsync();
        Task replaced = ReplaceAsync();
        holdingClient.Send("x"u8);
        Assert.True(isHeld.Wait(Patience));
        firstClient.Send("x"u8);
        SpinWait.SpinUntil(() => firstServer.Available > 0);
        goneClient.Dispose();
        SpinWait.SpinUntil(() => goneServer.Poll(0, SelectMode.SelectRead));
        goOn.Set();
        await Task.WhenAll(held, replaced).WaitAsync(Patience);

        // The loop has seen both when it comes to this, and the pool what it was told of the second one.
        holdingClient.Send("y"u8);
        Assert.Equal(1, (await ReadAsync(holding)).Buffer.Length);
        TaskCompletionSource pooled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static done => done.SetResult(), pooled, preferLocal: false);
        await pooled.Task.WaitAsync(Patience);
        Assert.False(next!.ConnectionClosed.IsCancellationRequested, "the end of one connection was taken for that of another");

        async Task HoldAsync()
        {
            ReadResult read = await holding.Input.ReadAsync();
            holding.Input.AdvanceTo(read.Buffer.End);
            isHeld.Set();
            goOn.Wait(Patience);
        }

        async Task ReplaceAsync()
        {
            await first.Input.ReadAsync();
            await gone.DisposeAsync();
            next = new SocketConnection(accepted, _loop);
        }
    }

    [Theory]
    [InlineData(64 << 10, true)]
    [InlineData((5 * SendfilePipeWriter.TurnBytes) + 1, true)]
    [InlineData(64 << 10, false)]
    [InlineData((5 * SendfilePipeWriter.TurnBytes) + 1, false)]
    public async Task OnlyAFileInMemoryIsSentOnTheLoop(int length, bool isResident)
    {
        LeaveContext();
        (SocketConnection connection, Socket client) = Connect(inline: true);
        using TestFile file = new(Path.Combine(_directory, "file"), length, seed: 1);
        if (!TrySetResident(file, isResident))
        {
            return;
        }

        Task<(bool IsBegunOnLoop, bool IsLeftAtOnce)> sending = ServeAsync();
        client.Send("x"u8);
        byte[] received = Receive(client, length);

        Assert.Equal((true, !isResident), await sending.WaitAsync(Patience));
        Assert.True(received.AsSpan().SequenceEqual(file.Read(0, length)));

        async Task<(bool, bool)> ServeAsync()
        {
            ReadResult read = await connection.Input.ReadAsync();
            connection.Input.AdvanceTo(read.Buffer.End);
            bool isOnLoop = LoopThread.IsCurrent;
            ValueTask<FlushResult> flush = Send(connection, file, length);
            long left = connection.Output.UnflushedBytes;
            await flush;

            // By what was left, not by where the flush ended: one that finds the socket full comes back to the loop.
            return (isOnLoop, left == length);
        }
    }

    [Fact]
    public async Task ALongFileLeavesTheLoopToOthersAfterEachTurn()
    {
        const int Length = 16 * SendfilePipeWriter.TurnBytes;
        LeaveContext();
        (SocketConnection holding, Socket holdingClient) = Connect(inline: true);
        (SocketConnection large, Socket largeClient) = Connect(inline: true);
        Socket largeServer = (Socket)_sockets[^1];
        (SocketConnection small, Socket smallClient) = Connect(inline: true);
        Socket smallServer = (Socket)_sockets[^1];
        using TestFile file = new(Path.Combine(_directory, "file"), Length, seed: 1);
        if (!TrySetResident(file, true))
        {
            return;
        }

        using ManualResetEventSlim isHeld = new();
        using ManualResetEventSlim goOn = new();
        Task held = HoldAsync();
        Task<bool> sending = ServeLargeAsync();
        Task<long> looking = ServeSmallAsync();
        holdingClient.Send("x"u8);
        Assert.True(isHeld.Wait(Patience));
        largeClient.Send("x"u8);
        SpinWait.SpinUntil(() => largeServer.Available > 0);
        smallClient.Send("x"u8);
        SpinWait.SpinUntil(() => smallServer.Available > 0);
        Task<byte[]> receiving = Task.Run(() => Receive(largeClient, Length));
        goOn.Set();

        Assert.InRange(await looking.WaitAsync(Patience), Length - (2 * SendfilePipeWriter.TurnBytes), Length);
        Assert.True(await sending.WaitAsync(Patience), "it ended elsewhere");
        Assert.True((await receiving.WaitAsync(Patience)).AsSpan().SequenceEqual(file.Read(0, Length)));
        await held.WaitAsync(Patience);

        async Task HoldAsync()
        {
            await holding.Input.ReadAsync();
            isHeld.Set();
            goOn.Wait(Patience);
        }

        async Task<bool> ServeLargeAsync()
        {
            await large.Input.ReadAsync();
            await Send(large, file, Length);
            return LoopThread.IsCurrent;
        }

        async Task<long> ServeSmallAsync()
        {
            await small.Input.ReadAsync();
            return large.Output.UnflushedBytes;
        }
    }

    [Fact]
    public async Task AHotRequestAllocatesNothing()
    {
        const int Warm = 200, Counted = 1000;
        (SocketConnection connection, Socket client) = Connect(inline: true);
        using TestFile file = new(Path.Combine(_directory, "file"), 64 << 10, seed: 1);
        if (!TrySetResident(file, true))
        {
            return;
        }

        Task<long> serving = Task.Run(async () =>
        {
            long before = 0;
            for (int i = 0; i < Warm + Counted; i++)
            {
                ReadResult read = await connection.Input.ReadAsync();
                before = i == Warm ? GC.GetAllocatedBytesForCurrentThread() : before;
                connection.Input.AdvanceTo(read.Buffer.End);
                connection.Output.GetMemory(300);
                connection.Output.Advance(300);
                await Send(connection, file, 64 << 10);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        });

        byte[] answer = new byte[(64 << 10) + 300];
        for (int i = 0; i < Warm + Counted; i++)
        {
            client.Send("GET"u8);
            for (int count = 0; count < answer.Length;)
            {
                count += client.Receive(answer, count, answer.Length - count, SocketFlags.None);
            }
        }

        Assert.Equal(0, await serving.WaitAsync(Patience));
    }

    [Fact]
    public async Task ALongBodyInMemoryIsSentWithoutAllocating()
    {
        const int Warm = 200, Counted = 1000, Length = 3 * SendfilePipeWriter.TurnBytes;
        (SocketConnection connection, Socket client) = Connect(inline: true);
        using TestFile file = new(Path.Combine(_directory, "file"), Length, seed: 1);
        if (!TrySetResident(file, true))
        {
            return;
        }

        Task<long> serving = Task.Run(async () =>
        {
            long allocated = 0;
            for (int i = 0; i < Warm + Counted; i++)
            {
                ReadResult read = await connection.Input.ReadAsync();
                connection.Input.AdvanceTo(read.Buffer.End);
                long before = GC.GetAllocatedBytesForCurrentThread();
                await Send(connection, file, Length);
                allocated += i < Warm ? 0 : GC.GetAllocatedBytesForCurrentThread() - before;
            }

            return allocated;
        });

        for (int i = 0; i < Warm + Counted; i++)
        {
            client.Send("GET"u8);
            Receive(client, Length);
        }

        Assert.Equal(0, await serving.WaitAsync(Patience));
    }

    public void Dispose()
    {
        _loop.Dispose();
        _sockets.ForEach(socket => socket.Dispose());
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>Without the test framework's context an await goes on where it was ended: on the loop's thread.</summary>
    private static void LeaveContext() => SynchronizationContext.SetSynchronizationContext(null);

    /// <summary>Writes the file out and drops it from the page cache, or reads it into it. False where the kernel is too old to tell, or the directory lies in memory.</summary>
    private static bool TrySetResident(TestFile file, bool isResident)
    {
        RandomAccess.FlushToDisk(file.Handle);
        if (isResident)
        {
            file.Read(0, (int)file.Length);
        }
        else
        {
            file.Drop();
        }

        return Native.IsResident(file.Handle, 0, file.Length) == isResident;
    }

    private static ValueTask<FlushResult> Send(SocketConnection connection, TestFile file, int length, CancellationToken cancellationToken = default)
    {
        var writer = (SendfilePipeWriter)connection.Output;
        writer.BeginFile(file.Handle, 0, length);
        writer.GetMemory(1);
        writer.Advance(length);
        return writer.FlushAsync(cancellationToken);
    }

    private static byte[] Receive(Socket client, int length)
    {
        byte[] received = new byte[length];
        for (int count = 0; count < length;)
        {
            int some = client.Receive(received.AsSpan(count));
            Assert.NotEqual(0, some);
            count += some;
        }

        return received;
    }

    private static Task<ReadResult> ReadAsync(SocketConnection connection)
        => connection.Input.ReadAsync().AsTask().WaitAsync(Patience);

    private (SocketConnection Connection, Socket Client) Connect(bool inline = false)
    {
        (Socket accepted, Socket client) = Pair();
        return (new SocketConnection(accepted, _loop) { RunsInline = inline }, client);
    }

    private (Socket Accepted, Socket Client) Pair()
    {
        using Socket listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        Socket client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 30_000, SendTimeout = 30_000 };
        client.Connect(listener.LocalEndPoint!);
        Socket accepted = listener.Accept();
        _sockets.AddRange([client, accepted]);
        return (accepted, client);
    }
}
