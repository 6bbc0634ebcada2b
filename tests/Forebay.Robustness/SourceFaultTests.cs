using System.Diagnostics;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness;

/// <summary>A source that breaks the rules: the client sees the right bytes or a clean error, in bounded time, never a wrong byte.</summary>
public sealed class SourceFaultTests
{
    private const long Length = (3 << 20) + 17;

    /// <summary>The operation timeout of <see cref="NodeSettings.ShortTimeouts"/> for a stat and then a range, and room for a busy machine.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(12);

    public static TheoryData<FaultKind, int> Faults => new()
    {
        { FaultKind.Truncate, 0 },
        { FaultKind.Truncate, 300_001 },
        { FaultKind.Reset, 0 },
        { FaultKind.Reset, 300_001 },
        { FaultKind.Stall, 0 },
        { FaultKind.Stall, 300_001 },
        { FaultKind.Silence, 0 },
        { FaultKind.SlowDown, 0 },
        { FaultKind.ServerError, 0 },
        { FaultKind.WrongETag, 0 },
        { FaultKind.IgnoreRange, 0 },
        { FaultKind.OtherRange, 0 },
        { FaultKind.Garbage, 0 },
        { FaultKind.CaptivePortal, 0 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task AFaultThatPassesIsHidden(FaultKind kind, int afterBytes)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        source.Put("object", 1, Length);
        source.Put("known", 1, Length);
        int spoilt = 0;
        bool isSpoiling = false;
        source.Faults = request => isSpoiling && request.IsRead && Interlocked.Increment(ref spoilt) <= 2 ? new SourceFault(kind, afterBytes) : null;
        await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));
        using SignedClient client = new(node.S3Address);
        AssertRight(await client.GetAsync("data", "known", 0, 1000), source.Object("known"));
        isSpoiling = true;

        // The version of one object is known when the fault comes, nothing at all of the other.
        Answer known = await TimedAsync(() => client.GetAsync("data", "known"));
        spoilt = 0;
        Answer unknown = await TimedAsync(() => client.GetAsync("data", "object"));

        if (kind == FaultKind.WrongETag)
        {
            // Nobody can tell it from an overwrite: what was begun may be cut, and what was sent is of one version.
            Assert.True(source.Object("known").Content.Matches(0, known.Body), "the bytes before the cut are wrong");
            Assert.True(source.Object("object").Content.Matches(0, unknown.Body), "the bytes before the cut are wrong");
        }
        else
        {
            AssertRight(known, source.Object("known"));
            AssertRight(unknown, source.Object("object"));
        }

        Figures figures = await node.FiguresAsync();
        bool isHarmless = kind is FaultKind.IgnoreRange or FaultKind.WrongETag;
        Assert.True(isHarmless || figures["understore_errors_total"] >= 1, $"errors of the source are not counted: {figures["understore_errors_total"]}");
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task AFaultThatStaysIsAnErrorAndHealsWithTheSource(FaultKind kind, int afterBytes)
    {
        using TempDirectory directory = new();
        await using PatternSource source = new();
        source.Put("object", 1, Length);
        bool isSpoiling = true;
        source.Faults = request => isSpoiling && request.Key.Length > 0 ? new SourceFault(kind, afterBytes) : null;
        await using NodeProcess node = await NodeProcess.StartAsync(SettingsOf(source, directory));
        using SignedClient client = new(node.S3Address);

        foreach (long? from in new long?[] { null, 1_000_000, 2_500_000 })
        {
            Answer answer = await TimedAsync(() => client.GetAsync("data", "object", from, 400_000));
            if (answer.IsSuccess)
            {
                AssertRight(answer, source.Object("object"), kind == FaultKind.WrongETag);
                continue;
            }

            // Cut behind the first byte, or refused before it.
            Assert.True(
                (answer.Status is 200 or 206 && !answer.IsComplete) || (answer.Status is 500 or 503 && answer.ErrorCode.Length > 0) || answer.Status == 0,
                $"neither bytes nor a clean error: {answer.Status} {answer.ErrorCode}, {answer.Body.Length} bytes, complete: {answer.IsComplete}");
            Assert.True(answer.Status is 500 or 503 || source.Object("object").Content.Matches(answer.Offset, answer.Body), "the bytes before the cut are wrong");
        }

        isSpoiling = false;
        await Eventually.TrueAsync("the object can be read when the source is well again", async () => (await client.GetAsync("data", "object", 5, 100)).IsSuccess, TimeSpan.FromSeconds(15));
        AssertRight(await client.GetAsync("data", "object"), source.Object("object"), kind == FaultKind.WrongETag);
    }

    private static NodeSettings SettingsOf(PatternSource source, TempDirectory directory)
        => new NodeSettings { CacheDirectory = directory["cache"], Fill = NodeSettings.ShortTimeouts }.MountS3("data", source.Endpoint, PatternSource.Bucket);

    private static async Task<Answer> TimedAsync(Func<Task<Answer>> ask)
    {
        long started = Stopwatch.GetTimestamp();
        Answer answer = await ask();
        TimeSpan elapsed = Stopwatch.GetElapsedTime(started);
        Assert.True(elapsed < Bound, $"the answer ({answer.Status} {answer.ErrorCode}) took {elapsed.TotalSeconds:0.0} s");
        return answer;
    }

    private static void AssertRight(Answer answer, SourceObject wanted, bool anyETag = false)
    {
        Assert.True(answer.IsSuccess, $"{wanted.Key} was answered with {answer.Status} {answer.ErrorCode}, {answer.Body.Length} bytes, complete: {answer.IsComplete}");
        Assert.True(wanted.Content.Matches(answer.Offset, answer.Body), "the bytes are wrong");
        Assert.Equal(wanted.Length, answer.ObjectLength);
        Assert.True(anyETag || answer.ETag == wanted.ETag, $"the ETag is {answer.ETag}");
    }
}
