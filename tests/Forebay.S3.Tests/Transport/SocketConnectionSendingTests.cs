using System.IO.Pipelines;
using System.Net.Sockets;
using Forebay.Core;
using Forebay.S3.Transport;
using Xunit;

namespace Forebay.S3.Tests.Transport;

/// <summary>What a connection sends, where it is sent, and what that costs.</summary>
[Collection(SocketConnectionWorld.Collection)]
public sealed class SocketConnectionSendingTests : SocketConnectionWorld
{
    [Theory]
    [InlineData(64 << 10, true)]
    [InlineData((5 * SendfilePipeWriter.TurnBytes) + 1, true)]
    [InlineData(64 << 10, false)]
    [InlineData((5 * SendfilePipeWriter.TurnBytes) + 1, false)]
    public async Task OnlyAFileInMemoryIsSentOnTheLoop(int length, bool isResident)
    {
        LeaveContext();
        (SocketConnection connection, Socket client) = Connect(inline: true);
        using TestFile file = CreateFile(length);
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
        (SocketConnection large, Socket largeClient) = Connect(inline: true);
        Socket largeServer = LastAccepted;
        (SocketConnection small, Socket smallClient) = Connect(inline: true);
        Socket smallServer = LastAccepted;
        using TestFile file = CreateFile(Length);
        if (!TrySetResident(file, true))
        {
            return;
        }

        Task<bool> sending = ServeLargeAsync();
        Task<long> looking = ServeSmallAsync();
        await using HeldLoop held = Hold();
        largeClient.Send("x"u8);
        Assert.True(SpinWait.SpinUntil(() => largeServer.Available > 0, Patience));
        smallClient.Send("x"u8);
        Assert.True(SpinWait.SpinUntil(() => smallServer.Available > 0, Patience));
        Task<byte[]> receiving = Task.Run(() => Receive(largeClient, Length));
        await held.GoOnAsync();

        Assert.InRange(await looking.WaitAsync(Patience), Length - (2 * SendfilePipeWriter.TurnBytes), Length);
        Assert.True(await sending.WaitAsync(Patience), "it ended elsewhere");
        Assert.True((await receiving.WaitAsync(Patience)).AsSpan().SequenceEqual(file.Read(0, Length)));

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
        using TestFile file = CreateFile(64 << 10);
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
        const int Warm = 200, Measured = 1000, Length = 3 * SendfilePipeWriter.TurnBytes;
        (SocketConnection connection, Socket client) = Connect(inline: true);
        using TestFile file = CreateFile(Length);
        if (!TrySetResident(file, true))
        {
            return;
        }

        Task<(long Allocated, int Counted)> serving = Task.Run(async () =>
        {
            long allocated = 0;
            int counted = 0;
            for (int i = 0; i < Warm + Measured; i++)
            {
                ReadResult read = await connection.Input.ReadAsync();
                connection.Input.AdvanceTo(read.Buffer.End);
                int collections = GC.CollectionCount(0);
                long before = GC.GetAllocatedBytesForCurrentThread();
                await Send(connection, file, Length);
                long more = GC.GetAllocatedBytesForCurrentThread() - before;

                // A collection for another test charges what is left of the 8 KiB that this thread allocates from.
                if (i >= Warm && GC.CollectionCount(0) == collections)
                {
                    allocated += more;
                    counted++;
                }
            }

            return (allocated, counted);
        });

        for (int i = 0; i < Warm + Measured; i++)
        {
            client.Send("GET"u8);
            Receive(client, Length);
        }

        (long allocated, int counted) = await serving.WaitAsync(Patience);
        Assert.Equal(0, allocated);
        Assert.InRange(counted, Measured / 2, Measured);
    }

    /// <summary>Who copies reads the next bytes from a disk.</summary>
    [Fact]
    public async Task AFlushOfCopiedBytesThatWaitedGoesOnInThePool()
    {
        const int Length = 32 << 20;
        LeaveContext();
        (SocketConnection connection, Socket client) = Connect(inline: true);
        Task<bool> serving = ServeAsync();
        client.Send("x"u8);
        Receive(client, Length);

        Assert.False(await serving.WaitAsync(Patience), "it went on on the loop");

        async Task<bool> ServeAsync()
        {
            await connection.Input.ReadAsync();
            bool isOnLoop = LoopThread.IsCurrent;
            connection.Output.GetMemory(Length);
            connection.Output.Advance(Length);
            await connection.Output.FlushAsync();
            return !isOnLoop || LoopThread.IsCurrent;
        }
    }
}
