using Forebay.Caching.Eviction;
using Xunit;

namespace Forebay.Caching.Tests.Eviction;

public sealed class S3FifoTests
{
    [Fact]
    public void TouchAllocatesNothingAndSaturates()
    {
        S3Fifo policy = new(1_000);
        TestNode node = new(1, 10);
        policy.Add(node);
        policy.Touch(node);

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            policy.Touch(node);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(EvictionNode.MaxFrequency, node.Frequency);
    }

    [Fact]
    public void EvictionAllocatesNothing()
    {
        S3Fifo policy = new(100_000);
        TestNode[] nodes = [.. Enumerable.Range(0, 2_000).Select(i => new TestNode(Hash(i), 100))];
        foreach (TestNode node in nodes)
        {
            policy.Add(node);
            node.Refuses = node.KeyHash % 4 == 0;
        }

        Assert.True(policy.TryEvict(out _));
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 500; i++)
        {
            Assert.True(policy.TryEvict(out _));
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void ARefusedScanEndsAfterABoundedNumberOfQuestions()
    {
        S3Fifo policy = new(100_000);
        TestNode[] nodes = [.. Enumerable.Range(0, 1_000).Select(i => new TestNode(Hash(i), 100) { Refuses = true })];
        foreach (TestNode node in nodes)
        {
            policy.Add(node);
            policy.Touch(node);
        }

        Assert.False(policy.TryEvict(out EvictionNode? victim));

        Assert.Null(victim);
        Assert.InRange(nodes.Sum(node => node.Asked), 1_000, 5_000);
        Assert.Equal(1_000, policy.Count);
    }

    [Fact]
    public void TheOnlyNodeThatMayLeaveIsFoundHoweverHotItIs()
    {
        S3Fifo policy = new(100_000);
        TestNode[] nodes = [.. Enumerable.Range(0, 1_000).Select(i => new TestNode(Hash(i), 100) { Refuses = i != 617 })];
        foreach (TestNode node in nodes)
        {
            policy.Restore(node, frequent: true);
            policy.Touch(node);
            policy.Touch(node);
            policy.Touch(node);
        }

        Assert.True(policy.TryEvict(out EvictionNode? victim));

        Assert.Same(nodes[617], victim);
    }

    [Fact]
    public void AFileThatMovesOverBehindRefusingOnesIsFoundInTheSameCall()
    {
        S3Fifo policy = new(1_000);
        TestNode[] nodes = [.. Enumerable.Range(0, 4).Select(i => new TestNode(Hash(i), 100) { Refuses = true })];
        foreach (TestNode node in nodes)
        {
            policy.Restore(node, frequent: true);
        }

        TestNode hot = new(Hash(4), 10);
        policy.Add(hot);
        policy.Touch(hot);

        // The small queue is below its share: the main queue is asked first, and refuses, before the file moves over.
        Assert.True(policy.TryEvict(out EvictionNode? victim));

        Assert.Same(hot, victim);
        Assert.False(policy.TryEvict(out _));
    }

    [Fact]
    public void AFileLargerThanTheSmallQueueAndThanTheCacheIsHandled()
    {
        S3Fifo policy = new(1_000);
        TestNode small = new(Hash(1), 10);
        TestNode huge = new(Hash(2), 100);
        policy.Add(small);
        policy.Add(huge);

        policy.Resize(huge, 5_000);

        Assert.Equal(5_010, policy.TotalBytes);
        Assert.True(policy.TryEvict(out _));
        Assert.True(policy.TryEvict(out _));
        Assert.Equal(0, policy.TotalBytes);
    }

    [Fact]
    public void RestoredFrequentFilesOutliveRestoredOthers()
    {
        S3Fifo policy = new(10_000);
        for (int i = 0; i < 100; i++)
        {
            policy.Restore(new TestNode(Hash(i), 100), frequent: i % 2 == 0);
        }

        for (int i = 0; i < 40; i++)
        {
            Assert.True(policy.TryEvict(out EvictionNode? victim));
            Assert.NotEqual(0, Enumerable.Range(0, 50).Count(n => Hash((2 * n) + 1) == victim.KeyHash));
        }
    }

    [Fact]
    public void AddingANodeTwiceIsABugAndSaysSo()
    {
        S3Fifo policy = new(1_000);
        TestNode node = new(1, 10);
        policy.Add(node);

        Assert.Throws<InvalidOperationException>(() => policy.Add(node));
        Assert.Throws<InvalidOperationException>(() => new S3Fifo(1_000).Add(node));
    }

    [Theory]
    [InlineData(0.10)]
    [InlineData(0.25)]
    [InlineData(0.50)]
    public void ShuffledEpochsHitAtLeastFourFifthsOfTheShareFromTheThirdEpoch(double share)
    {
        const int Objects = 4_000;
        Cache cache = new((long)(Objects * 100 * share));
        Random random = new(7);
        int[] order = [.. Enumerable.Range(0, Objects)];
        int hits = 0;
        for (int epoch = 1; epoch <= 6; epoch++)
        {
            random.Shuffle(order);
            int hitsOfEpoch = order.Count(cache.Read);
            hits += epoch >= 3 ? hitsOfEpoch : 0;
        }

        Assert.InRange(hits / (4.0 * Objects), 0.8 * share, share);
    }

    [Fact]
    public void AHotSetSurvivesAOnePassScanOfFourTimesTheCache()
    {
        Cache cache = new(1_000 * 100);
        for (int round = 0; round < 4; round++)
        {
            for (int i = 0; i < 800; i++)
            {
                cache.Read(i);
            }
        }

        for (int i = 0; i < 4_000; i++)
        {
            cache.Read(10_000 + i);
        }

        Assert.InRange(Enumerable.Range(0, 800).Count(cache.Read), 780, 800);
    }

    [Fact]
    public void AReplacedWorkingSetIsResidentAfterTwoPasses()
    {
        const int Set = 8_000;
        Cache cache = new(Set * 100);
        Random random = new(11);
        int[] order = [.. Enumerable.Range(0, Set)];
        for (int pass = 0; pass < 6; pass++)
        {
            random.Shuffle(order);
            _ = order.Count(cache.Read);
        }

        for (int pass = 0; pass < 2; pass++)
        {
            random.Shuffle(order);
            _ = order.Count(i => cache.Read(Set + i));
        }

        Assert.InRange(order.Count(i => cache.Read(Set + i)), (int)(0.9 * Set), Set);
    }

    [Fact]
    public void ASmallCacheFindsOutThatItsSetWasReplaced()
    {
        const int Set = 1_000;
        const int Residents = 200;
        Cache cache = new(Residents * 100);
        Random random = new(3);
        int[] order = [.. Enumerable.Range(0, Set)];
        for (int pass = 0; pass < 6; pass++)
        {
            random.Shuffle(order);
            _ = order.Count(cache.Read);
        }

        for (int pass = 0; pass < 2; pass++)
        {
            random.Shuffle(order);
            _ = order.Count(i => cache.Read(Set + i));
        }

        random.Shuffle(order);
        Assert.InRange(order.Count(i => cache.Read(Set + i)), Residents / 2, Residents);
    }

    [Fact]
    public async Task TouchesFromOtherThreadsNeverDisturbEviction()
    {
        S3Fifo policy = new(1_000 * 100);
        TestNode[] nodes = [.. Enumerable.Range(0, 2_000).Select(i => new TestNode(Hash(i), 100))];
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(30));
        Task[] readers = [.. Enumerable.Range(0, 2).Select(seed => Task.Run(() =>
        {
            Random random = new(seed);
            while (!stop.IsCancellationRequested)
            {
                policy.Touch(nodes[random.Next(nodes.Length)]);
            }
        }))];

        for (int i = 0; i < 50_000; i++)
        {
            TestNode node = nodes[i * 7919 % nodes.Length];
            if (node.IsTracked)
            {
                policy.Touch(node);
                continue;
            }

            while (policy.TotalBytes + node.SizeBytes > 1_000 * 100)
            {
                Assert.True(policy.TryEvict(out EvictionNode? victim), "Eviction gave up although every node may leave.");
                Assert.False(victim.IsTracked);
            }

            policy.Add(node);
        }

        await stop.CancelAsync();
        await Task.WhenAll(readers);
        Assert.Equal(nodes.Count(node => node.IsTracked), policy.Count);
        Assert.Equal(policy.Count * 100, policy.TotalBytes);
    }

    private static ulong Hash(int value)
    {
        ulong x = ((ulong)value + 1) * 0x9E3779B97F4A7C15UL;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9UL;
        return x ^ (x >> 31);
    }

    /// <summary>A cache of files of 100 bytes.</summary>
    private sealed class Cache(long capacityBytes)
    {
        private readonly S3Fifo _policy = new(capacityBytes);
        private readonly Dictionary<ulong, TestNode> _resident = [];

        public bool Read(int item)
        {
            ulong hash = Hash(item);
            if (_resident.TryGetValue(hash, out TestNode? node))
            {
                _policy.Touch(node);
                return true;
            }

            while (_policy.TotalBytes + 100 > capacityBytes)
            {
                Assert.True(_policy.TryEvict(out EvictionNode? victim));
                _resident.Remove(victim.KeyHash);
            }

            node = new TestNode(hash, 100);
            _resident.Add(hash, node);
            _policy.Add(node);
            return false;
        }
    }
}
