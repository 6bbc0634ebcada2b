using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Forebay.Caching.Eviction;
using Forebay.HitRate;
using Trace = Forebay.HitRate.Trace;

// Usage: Forebay.HitRate [--seed N] [--objects N] [--output table|json]
int seed = 20231023;
int objects = 20_000;
bool json = false;
for (int i = 0; i < args.Length; i += 2)
{
    string value = i + 1 < args.Length ? args[i + 1] : "";
    switch (args[i])
    {
        case "--seed" when int.TryParse(value, CultureInfo.InvariantCulture, out seed):
        case "--objects" when int.TryParse(value, CultureInfo.InvariantCulture, out objects) && objects >= 100:
            break;
        case "--output" when value is "table" or "json":
            json = value == "json";
            break;
        default:
            await Console.Error.WriteLineAsync($"'{args[i]} {value}' is not understood; use --seed N, --objects N (≥ 100), --output table|json.");
            return 2;
    }
}

long started = Stopwatch.GetTimestamp();
List<Result> results = [];
TraceGenerator generator = new(seed, objects);
foreach (double share in new[] { 0.10, 0.25, 0.50 })
{
    Trace[] traces =
    [
        generator.Zipf(), generator.ZipfWithScans(share), generator.ShuffledEpochs(), generator.SequentialEpochs(),
        generator.ReplacedPasses(), generator.ReplacedZipf(), generator.EpochsBesideZipf(),
    ];
    foreach (Trace trace in traces)
    {
        long capacityBytes = (long)(trace.DistinctBytes * share);
        results.AddRange(Simulation.Measure(trace, share, "forebay", Simulation.Replay(trace, capacityBytes, new S3Fifo(capacityBytes))));
        results.AddRange(Simulation.Measure(trace, share, "s3-fifo", Simulation.Replay(trace, capacityBytes, new PlainS3Fifo(capacityBytes))));
        results.AddRange(Simulation.Measure(trace, share, "lru", Simulation.Replay(trace, capacityBytes, new Recency(movesOnTouch: true))));
        results.AddRange(Simulation.Measure(trace, share, "fifo", Simulation.Replay(trace, capacityBytes, new Recency(movesOnTouch: false))));
        results.AddRange(Simulation.Measure(trace, share, "belady", Simulation.ReplayBelady(trace, capacityBytes)));
    }
}

IReadOnlyList<Verdict> verdicts = Verdict.Judge(results);
if (json)
{
    Console.WriteLine(JsonSerializer.Serialize(new { seed, objects, results, verdicts }, Report.Json));
}
else
{
    Report.Write(Console.Out, seed, objects, results, verdicts, Stopwatch.GetElapsedTime(started));
}

return 0;
