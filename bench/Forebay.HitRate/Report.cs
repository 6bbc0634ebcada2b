using System.Text.Json;

namespace Forebay.HitRate;

/// <summary>One target and what was measured.</summary>
internal sealed record Verdict(string Target, double CacheShare, string Measured, bool IsMet)
{
    public static IReadOnlyList<Verdict> Judge(IReadOnlyList<Result> results)
    {
        List<Verdict> verdicts = [];
        foreach (double share in results.Select(result => result.CacheShare).Distinct())
        {
            double Ratio(string workload, string window, string policy) => results
                .Single(r => r.Workload == workload && r.Window == window && r.Policy == policy && r.CacheShare == share).HitRatio;

            double zipf = Ratio("zipf", "second half", "forebay") - Ratio("zipf", "second half", "lru");
            verdicts.Add(new("zipf: ≥ LRU − 0.5 points", share, $"{zipf * 100:+0.0;-0.0} points", zipf >= -0.005));

            if (share is 0.25)
            {
                double scans = Ratio("zipf+scans", "after warm-up", "forebay") - Ratio("zipf+scans", "after warm-up", "lru");
                verdicts.Add(new("zipf+scans: ≥ LRU + 10 points, of all requests", share, $"{scans * 100:+0.0;-0.0} points", scans >= 0.10));
                double reusable = Reusable(results, share, "forebay") - Reusable(results, share, "lru");
                verdicts.Add(new("zipf+scans: ≥ LRU + 10 points, of the Zipf requests", share, $"{reusable * 100:+0.0;-0.0} points", reusable >= 0.10));
            }

            double epochs = Ratio("shuffled epochs", "from epoch 3", "forebay") / share;
            verdicts.Add(new("shuffled epochs: ≥ 0.8 × the cache's share from epoch 3", share, $"{epochs:0.00} × the share", epochs >= 0.8));

            // Half of the objects are the new set, so the cache's share of it is twice its share of everything.
            double passes = Ratio("replaced set, passes", "pass 3 after", "forebay") / Math.Min(1, 2 * share);
            verdicts.Add(new("replaced set, passes: pass 3 ≥ 0.8 × the cache's share", share, $"{passes:0.00} × the share", passes >= 0.8));

            // First reads miss under every policy, so a pass is compared with what Belady's rule makes of the same pass.
            double before = Ratio("replaced set, zipf", "last pass before", "forebay") / Ratio("replaced set, zipf", "last pass before", "belady");
            double after = Ratio("replaced set, zipf", "pass 3 after", "forebay") / Ratio("replaced set, zipf", "pass 3 after", "belady");
            verdicts.Add(new(
                "replaced set, zipf: pass 3 ≥ 0.95 × before, each over Belady", share, $"{after / before:0.00} × before", after / before >= 0.95));
        }

        return verdicts;
    }

    private static double Reusable(IReadOnlyList<Result> results, double share, string policy) => results
        .Single(r => r.Workload == "zipf+scans" && r.Policy == policy && r.CacheShare == share).ReusableHitRatio;
}

/// <summary>Prints results for people and for programs.</summary>
internal static class Report
{
    private static readonly string[] Policies = ["forebay", "s3-fifo", "lru", "fifo", "belady"];

    public static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static void Write(
        TextWriter output, int seed, int objects, IReadOnlyList<Result> results, IReadOnlyList<Verdict> verdicts, TimeSpan elapsed)
    {
        output.WriteLine($"seed {seed}, {objects} objects, {elapsed.TotalSeconds:0.0} s");
        Section(output, "Hit ratio, % of requests", results, result => result.HitRatio, _ => true);
        Section(output, "Hit ratio, % of the requests that are not one-pass scans", results, r => r.ReusableHitRatio, r => r.Workload == "zipf+scans");
        Section(output, "Hit ratio, % of bytes", results, result => result.ByteHitRatio, r => r.Window is "second half" or "after warm-up" or "from epoch 3");

        output.WriteLine();
        output.WriteLine("Targets");
        output.WriteLine();
        output.WriteLine("| target | cache | measured | met |");
        output.WriteLine("|---|---:|---:|---|");
        foreach (Verdict verdict in verdicts)
        {
            output.WriteLine($"| {verdict.Target} | {verdict.CacheShare:P0} | {verdict.Measured} | {(verdict.IsMet ? "yes" : "NO")} |");
        }
    }

    private static void Section(
        TextWriter output, string title, IReadOnlyList<Result> results, Func<Result, double> figure, Func<Result, bool> isShown)
    {
        output.WriteLine();
        output.WriteLine(title);
        output.WriteLine();
        output.WriteLine($"| workload | window | cache | {string.Join(" | ", Policies)} |");
        output.WriteLine($"|---|---|---:|{string.Concat(Policies.Select(_ => "---:|"))}");
        foreach (var row in results.Where(isShown).GroupBy(r => (r.Workload, r.Window, r.CacheShare)).OrderBy(g => Order(results, g.Key.Workload)))
        {
            IEnumerable<string> cells = Policies.Select(policy => $"{figure(row.Single(r => r.Policy == policy)) * 100:0.0}");
            output.WriteLine($"| {row.Key.Workload} | {row.Key.Window} | {row.Key.CacheShare:P0} | {string.Join(" | ", cells)} |");
        }
    }

    private static int Order(IReadOnlyList<Result> results, string workload)
    {
        int at = 0;
        while (results[at].Workload != workload)
        {
            at++;
        }

        return at;
    }
}
