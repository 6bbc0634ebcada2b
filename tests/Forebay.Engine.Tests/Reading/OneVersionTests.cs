using Forebay.Core;
using Forebay.Testing;
using Xunit;
using static Forebay.Engine.Tests.Reading.NodeWorld;

namespace Forebay.Engine.Tests.Reading;

/// <summary>Whatever happens to the object or to the answers: what a reader gets is of the one version that it opened, or it gets an error.</summary>
[Collection(NodeCollection.Name)]
public sealed class OneVersionTests
{
    private const long Length = (6L << 20) + 777;

    /// <summary>The inconclusive outcome is a failure too: a run without overwritten readers, or without undisturbed ones, has shown nothing.</summary>
    [Theory]
    [InlineData(1, 128 << 20, false)]
    [InlineData(2, 128 << 20, true)]
    [InlineData(3, null, false)]
    [InlineData(4, null, true)]
    [InlineData(5, 16 << 20, false)]
    public async Task ReadersOfAnObjectThatIsOverwrittenAllTheTimeNeverGetAMixture(int seed, int? quotaBytes, bool isProvisional)
    {
        await using NodeWorld world = new(quotaBytes: quotaBytes);
        world.Memory.PutPattern("a", Length);
        if (isProvisional)
        {
            world.Plan.OnEvery(UnderStoreCall.Read, new Fault { IsProvisional = true });
        }

        int exact = 0;
        int stale = 0;
        int overwrites = 0;

        // Past the tier most reads are one question, which is answered from one version or refused as a whole.
        int leastStale = quotaBytes == 128 << 20 ? 6 : 0;
        const int LeastExact = 21;
        using CancellationTokenSource enough = new();
        Task overwriting = Task.Run(async () =>
        {
            var random = new Random(seed);
            while (!enough.IsCancellationRequested)
            {
                int before = Volatile.Read(ref exact);
                world.Memory.PutPattern("a", Length - random.Next(3));
                Interlocked.Increment(ref overwrites);

                // Some reader must get through between two overwrites, or none ever might.
                for (int turn = 0; turn < 10_000 && Volatile.Read(ref exact) < before + 2 && !enough.IsCancellationRequested; turn++)
                {
                    await Task.Yield();
                }
            }
        });
        await Task.WhenAll(Enumerable.Range(0, 6).Select(reader => Task.Run(async () =>
        {
            var random = new Random((seed * 100) + reader);

            // A reader is overtaken by an overwrite only if the two meet, and is exact only if they do not: how often is up to the machine.
            for (int i = 0; i < 60 || (i < 2_000 && (Volatile.Read(ref stale) < leastStale || Volatile.Read(ref exact) < LeastExact)); i++)
            {
                bool isWhole = random.Next(3) == 0;
                long offset = isWhole ? 0 : random.NextInt64(Length - 10);
                try
                {
                    if (random.Next(4) == 0)
                    {
                        // A version that is whole in the cache is read to its end whatever comes after it: this reader begins with a newer one, and sees to it itself.
                        await world.Data.RefreshAsync("a", world.Deadline);
                        using IObjectReader overtaken = await world.OpenAsync("a", null);
                        await NodeWorld.ReadExactAsync(overtaken, 0, 1, world.Deadline);
                        world.Memory.PutPattern("a", Length - random.Next(3));
                        Interlocked.Increment(ref overwrites);
                        await NodeWorld.ReadExactAsync(overtaken, 1, overtaken.Stat.Length - 1, world.Deadline);
                    }

                    await world.ReadExactAsync("a", offset, isWhole ? long.MaxValue : random.Next(1, 2 << 20));
                    Interlocked.Increment(ref exact);
                }
                catch (ForebayException error) when (error.Kind is ErrorKind.StaleVersion)
                {
                    Interlocked.Increment(ref stale);
                }
            }
        })));
        await enough.CancelAsync();
        await overwriting;

        Assert.True(overwrites > 5 && exact >= LeastExact && stale >= leastStale, $"seen too little: {overwrites} overwrites, {exact} exact reads, {stale} stale ones");
        await world.Data.RefreshAsync("a", world.Deadline);
        await world.ReadExactAsync("a");
    }

    [Theory]
    [InlineData(128 << 20, 1)]
    [InlineData(128 << 20, 3)]
    [InlineData(null, 1)]
    [InlineData(null, 3)]
    public async Task BytesThatComeUnderAnotherETagAreNotShownNorKept(int? quotaBytes, int nth)
    {
        // Such a store ignores If-Match: only the answer tells.
        await using NodeWorld world = new(quotaBytes: quotaBytes);
        world.Memory.PutPattern("a", Length);
        using (IObjectReader reader = await world.OpenAsync("a"))
        {
            world.Plan.On(UnderStoreCall.Read, nth, new Fault { ETag = "\"other\"", ThenCorrupt = true });

            ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => NodeWorld.ReadExactAsync(reader, 0, Length, world.Deadline));

            Assert.Equal(ErrorKind.StaleVersion, error.Kind);
        }

        world.Plan.Clear();
        await world.Data.RefreshAsync("a", world.Deadline);
        await world.ReadExactAsync("a");
    }

    [Theory]
    [InlineData(128 << 20, false)]
    [InlineData(128 << 20, true)]
    [InlineData(null, false)]
    [InlineData(null, true)]
    public async Task ABodyThatEndsEarlyWithoutAWordIsTakenUpAndNeverPaddedOrCut(int? quotaBytes, bool isProvisional)
    {
        await using NodeWorld world = new(quotaBytes: quotaBytes);
        world.Memory.PutPattern("a", Length);
        world.Memory.PutPattern("unknown", Length);
        await world.Data.StatAsync("a", null, world.Deadline);
        foreach (string key in new[] { "a", "unknown" })
        {
            int calls = world.Plan.Calls(UnderStoreCall.Read);
            for (int nth = 1; nth <= 4; nth += 3)
            {
                world.Plan.On(UnderStoreCall.Read, calls + nth, new Fault { AfterBytes = (100_001 * nth) - 1, ThenEnd = true, IsProvisional = isProvisional });
            }

            world.Plan.OnEvery(UnderStoreCall.Read, new Fault { IsProvisional = isProvisional });

            await world.ReadExactAsync(key);
            world.Plan.Clear();
        }

        await world.ReadExactAsync("a");
        await world.ReadExactAsync("unknown");
    }

    /// <summary>A first read of an unknown object is on its way while somebody asks for its stat and then for its bytes: one of the two is used.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task AFirstReadIsNotWrittenBesideAFillOfTheSamePages(bool isProvisional)
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 60_000);
        TaskCompletionSource first = new(TaskCreationOptions.RunContinuationsAsynchronously);
        TaskCompletionSource second = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.On(UnderStoreCall.Read, 1, new Fault { Until = first.Task, IsProvisional = isProvisional });
        world.Plan.On(UnderStoreCall.Read, 2, new Fault { AfterBytes = 10_000, ThenUntil = second.Task, IsProvisional = isProvisional });
        Task<IObjectReader> cold = world.OpenAsync("a", new ByteRange(0, 60_000)).AsTask();
        Await(() => world.Plan.Calls(UnderStoreCall.Read) == 1, "the first read is on its way");
        await world.Data.StatAsync("a", null, world.Deadline);
        using IObjectReader known = await world.OpenAsync("a", new ByteRange(0, 60_000));
        Task<long> reading = NodeWorld.ReadExactAsync(known, 0, 60_000, world.Deadline);
        Await(() => world.Plan.Calls(UnderStoreCall.Read) == 2, "the fill is on its way");

        first.SetResult();
        using IObjectReader late = await cold;
        second.SetResult();
        await reading;
        await NodeWorld.ReadExactAsync(late, 0, 60_000, world.Deadline);

        Assert.Equal(60_000, world.Memory.BytesRead);
    }

    /// <summary>Many wait for the same bytes, some go; who stays gets all of them, and the source is asked once.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task WaitersOfOneFillThatGoHarmNoneOfThoseThatStay(int seed)
    {
        const int Readers = 24;
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", Length);
        await world.Data.StatAsync("a", null, world.Deadline);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Read, new Fault { AfterBytes = 70_000, ThenUntil = release.Task });
        var random = new Random(seed);
        CancellationTokenSource[] patience = [.. Enumerable.Range(0, Readers).Select(_ => CancellationTokenSource.CreateLinkedTokenSource(world.Deadline))];
        bool[] goes = [.. Enumerable.Range(0, Readers).Select(i => i == 0 || (i < Readers - 1 && random.Next(2) == 0))];

        int waiting = 0;

        Task<bool>[] reading = [.. patience.Select(leave => Task.Run(async () =>
        {
            using IObjectReader reader = await world.OpenAsync("a", new ByteRange(0, Length));
            try
            {
                await NodeWorld.ReadExactAsync(reader, 0, 1, leave.Token);
                Interlocked.Increment(ref waiting);
                await NodeWorld.ReadExactAsync(reader, 1, Length - 1, leave.Token);
                return true;
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }))];
        Await(() => Volatile.Read(ref waiting) == Readers, "a fill has begun and stalls, and all readers take part in it");
        foreach (int i in Enumerable.Range(0, Readers).Where(i => goes[i]).OrderBy(_ => random.Next()))
        {
            await patience[i].CancelAsync();
        }

        Assert.All(await Task.WhenAll(reading.Where((_, i) => goes[i])), Assert.False);
        release.SetResult();
        Assert.All(await Task.WhenAll(reading.Where((_, i) => !goes[i])), Assert.True);
        Assert.Equal(Length, world.Memory.BytesRead);
        foreach (CancellationTokenSource source in patience)
        {
            source.Dispose();
        }
    }
}
