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
[Collection(SocketConnectionWorld.Collection)]
public sealed class SocketConnectionTests : SocketConnectionWorld
{
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
        using TestFile file = CreateFile(64 << 20);
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
        using TestFile file = CreateFile(64 << 20);
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
        Socket server = LastAccepted;
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

        Loop.Dispose();

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
        Socket otherServer = LastAccepted;
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
        (SocketConnection first, Socket firstClient) = Connect(inline: true);
        Socket firstServer = LastAccepted;
        (SocketConnection gone, Socket goneClient) = Connect();
        Socket goneServer = LastAccepted;
        (Socket accepted, _) = Pair();
        SocketConnection? next = null;

        // While the loop is held two events come, so that it gets both at once; what the first one does makes the second one late.
        Task replaced = ReplaceAsync();
        await using HeldLoop held = Hold();
        firstClient.Send("x"u8);
        SpinWait.SpinUntil(() => firstServer.Available > 0);
        goneClient.Dispose();
        SpinWait.SpinUntil(() => goneServer.Poll(0, SelectMode.SelectRead));
        await held.GoOnAsync();
        await replaced.WaitAsync(Patience);

        // The loop has seen both when it comes to this, and the pool what it was told of the second one.
        held.Client.Send("y"u8);
        Assert.Equal(1, (await ReadAsync(held.Connection)).Buffer.Length);
        TaskCompletionSource pooled = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ThreadPool.UnsafeQueueUserWorkItem(static done => done.SetResult(), pooled, preferLocal: false);
        await pooled.Task.WaitAsync(Patience);
        Assert.False(next!.ConnectionClosed.IsCancellationRequested, "the end of one connection was taken for that of another");

        async Task ReplaceAsync()
        {
            await first.Input.ReadAsync();
            await gone.DisposeAsync();
            next = new SocketConnection(accepted, Loop);
        }
    }
}
