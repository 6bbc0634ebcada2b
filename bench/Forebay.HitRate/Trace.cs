namespace Forebay.HitRate;

/// <summary>One reproducible sequence of requests.</summary>
/// <param name="Name">Name of the workload.</param>
/// <param name="Requests">Object of each request.</param>
/// <param name="Sizes">Bytes of each object.</param>
/// <param name="DistinctBytes">What the cache's share is taken of; one-pass scans are left out.</param>
/// <param name="Windows">Parts of the trace that are measured.</param>
/// <param name="FirstScanObject">Objects from here on belong to one-pass scans.</param>
internal sealed record Trace(
    string Name, int[] Requests, long[] Sizes, long DistinctBytes, IReadOnlyList<Window> Windows, int FirstScanObject = int.MaxValue);

/// <summary>Requests [Start, End) of a trace, under a name.</summary>
internal sealed record Window(string Name, int Start, int End);

/// <summary>Generators; each takes its own random stream from the printed seed, so that one does not shift the others.</summary>
internal sealed class TraceGenerator(int seed, int objects)
{
    private const double Skew = 0.9;

    /// <summary>Zipf(0.9) over all objects; the first half warms up.</summary>
    public Trace Zipf()
    {
        var random = new Random(seed);
        long[] sizes = Sizes(random, objects);
        ZipfSampler zipf = new(random, objects, Skew);
        int[] requests = Fill(objects * 50, _ => zipf.Next());
        return new Trace("zipf", requests, sizes, sizes.Sum(), [new Window("second half", requests.Length / 2, requests.Length)]);
    }

    /// <summary>
    /// Zipf(0.9), and four scans of 4 × the cache over objects never seen again. A scan runs interleaved 1 : 1 with the Zipf
    /// requests; as many Zipf requests follow alone.
    /// </summary>
    public Trace ZipfWithScans(double share)
    {
        var random = new Random(seed + 1);
        int scanObjects = (int)(4 * share * objects);
        const int Scans = 8;
        long[] sizes = Sizes(random, objects + (scanObjects * Scans));
        ZipfSampler zipf = new(random, objects, Skew);
        List<int> requests = [];
        int warmUp = objects * 5;
        for (int i = 0; i < warmUp; i++)
        {
            requests.Add(zipf.Next());
        }

        int scanned = objects;
        for (int scan = 0; scan < Scans; scan++)
        {
            for (int i = 0; i < scanObjects; i++)
            {
                requests.Add(scanned++);
                requests.Add(zipf.Next());
            }

            for (int i = 0; i < scanObjects; i++)
            {
                requests.Add(zipf.Next());
            }
        }

        return new Trace(
            "zipf+scans", [.. requests], sizes, sizes.Take(objects).Sum(), [new Window("after warm-up", warmUp, requests.Count)], objects);
    }

    /// <summary>Ten epochs, each in a new random order.</summary>
    public Trace ShuffledEpochs() => Epochs("shuffled epochs", seed + 2, shuffled: true);

    /// <summary>Ten epochs in the same order.</summary>
    public Trace SequentialEpochs() => Epochs("sequential epochs", seed + 3, shuffled: false);

    /// <summary>Six shuffled passes over one half of the objects, then six over the other half.</summary>
    public Trace ReplacedPasses()
    {
        var random = new Random(seed + 4);
        long[] sizes = Sizes(random, objects);
        int half = objects / 2;
        const int Passes = 6;
        int[] order = Fill(half, i => i);
        List<int> requests = [];
        for (int pass = 0; pass < Passes * 2; pass++)
        {
            int first = pass < Passes ? 0 : half;
            random.Shuffle(order);
            requests.AddRange(order.Select(i => first + i));
        }

        return new Trace("replaced set, passes", [.. requests], sizes, sizes.Sum(), Replacement(half, Passes));
    }

    /// <summary>Zipf(0.9) over one half of the objects for ten passes' worth of requests, then over the other half.</summary>
    public Trace ReplacedZipf()
    {
        var random = new Random(seed + 5);
        long[] sizes = Sizes(random, objects);
        int half = objects / 2;
        const int Passes = 10;
        ZipfSampler zipf = new(random, half, Skew);
        int[] requests = Fill(half * Passes * 2, i => zipf.Next() + (i < half * Passes ? 0 : half));
        return new Trace("replaced set, zipf", requests, sizes, sizes.Sum(), Replacement(half, Passes));
    }

    /// <summary>A training job beside a serving one: shuffled epochs over 80 % of the objects, Zipf(0.9) over the rest, 1 : 1.</summary>
    public Trace EpochsBesideZipf()
    {
        var random = new Random(seed + 6);
        long[] sizes = Sizes(random, objects);
        int hot = objects / 5;
        ZipfSampler zipf = new(random, hot, Skew);
        int[] order = Fill(objects - hot, i => hot + i);
        List<int> requests = [];
        for (int epoch = 0; epoch < 8; epoch++)
        {
            random.Shuffle(order);
            foreach (int item in order)
            {
                requests.Add(item);
                requests.Add(zipf.Next());
            }
        }

        int perEpoch = requests.Count / 8;
        return new Trace("epochs beside zipf", [.. requests], sizes, sizes.Sum(), [new Window("from epoch 3", 2 * perEpoch, requests.Count)]);
    }

    private static List<Window> Replacement(int pass, int passes) =>
    [
        new Window("last pass before", (passes - 1) * pass, passes * pass),
        new Window("pass 1 after", passes * pass, (passes + 1) * pass),
        new Window("pass 2 after", (passes + 1) * pass, (passes + 2) * pass),
        new Window("pass 3 after", (passes + 2) * pass, (passes + 3) * pass),
        new Window("last pass after", ((2 * passes) - 1) * pass, 2 * passes * pass),
    ];

    private static int[] Fill(int count, Func<int, int> make)
    {
        int[] values = new int[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = make(i);
        }

        return values;
    }

    // Log-normal: median 1 MiB, sigma 1.2 (mean about 2 MiB), cut at 64 MiB.
    private static long[] Sizes(Random random, int count)
    {
        long[] sizes = new long[count];
        for (int i = 0; i < count; i++)
        {
            double normal = Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
            sizes[i] = Math.Clamp((long)((1 << 20) * Math.Exp(1.2 * normal)), 1024, 64 << 20);
        }

        return sizes;
    }

    private Trace Epochs(string name, int ownSeed, bool shuffled)
    {
        var random = new Random(ownSeed);
        long[] sizes = Sizes(random, objects);
        const int Count = 10;
        int[] order = Fill(objects, i => i);
        List<int> requests = [];
        List<Window> windows = [new Window("from epoch 3", 2 * objects, Count * objects)];
        for (int epoch = 0; epoch < Count; epoch++)
        {
            if (shuffled)
            {
                random.Shuffle(order);
            }

            requests.AddRange(order);
        }

        windows.Add(new Window("epoch 2", objects, 2 * objects));
        windows.Add(new Window("epoch 3", 2 * objects, 3 * objects));
        windows.Add(new Window("epoch 10", 9 * objects, 10 * objects));
        return new Trace(name, [.. requests], sizes, sizes.Sum(), windows);
    }
}

/// <summary>Draws ranks with probability ∝ 1 / rank^skew; ranks are spread over the objects at random.</summary>
internal sealed class ZipfSampler
{
    private readonly Random _random;
    private readonly double[] _cumulative;
    private readonly int[] _objectOfRank;

    public ZipfSampler(Random random, int objects, double skew)
    {
        _random = random;
        _cumulative = new double[objects];
        _objectOfRank = new int[objects];
        double sum = 0;
        for (int i = 0; i < objects; i++)
        {
            sum += Math.Pow(i + 1, -skew);
            _cumulative[i] = sum;
            _objectOfRank[i] = i;
        }

        random.Shuffle(_objectOfRank);
    }

    public int Next()
    {
        int rank = Array.BinarySearch(_cumulative, _random.NextDouble() * _cumulative[^1]);
        return _objectOfRank[Math.Min(rank < 0 ? ~rank : rank, _cumulative.Length - 1)];
    }
}
