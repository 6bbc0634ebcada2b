using Forebay.Cli.Configuration;
using Forebay.Cli.Serve;
using Forebay.Core;

namespace Forebay.Cli.Tests.Serve;

public sealed class ServeRunnerTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly List<string> _events = [];
    private readonly List<int> _exits = [];
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();
    private readonly ConfigurationInput _input = new() { MountFlags = ["data=s3://bucket/x"], CacheFlags = ["none"] };

    public void Dispose()
    {
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public async Task ASignalDrainsEveryEdgeThenDisposesTheEngineAndEndsWithZero()
    {
        using TerminationSignals signals = TerminationSignals.Simulate(_exits.Add);
        FakeEdge admin = new("admin", _events) { WhenStarted = () => signals.Receive(15) };

        int code = await RunAsync(signals, new FakeEdge("S3", _events), admin);

        Assert.Equal(ExitCode.Success, code);
        Assert.Equal(["start S3", "start admin", "drain S3", "drain admin", "dispose admin", "dispose S3", "dispose engine"], _events);
        Assert.Empty(_exits);
        Assert.Equal("", _error.ToString());
    }

    [Fact]
    public void ASecondSignalEndsAtOnceWithTheSignalsCode()
    {
        using TerminationSignals signals = TerminationSignals.Simulate(_exits.Add);

        signals.Receive(15);
        Assert.Empty(_exits);
        signals.Receive(2);

        Assert.Equal([130], _exits);
    }

    [Fact]
    public async Task AnEdgeThatCannotStartUndoesTheOthersAndSaysWhy()
    {
        using TerminationSignals signals = TerminationSignals.Simulate(_exits.Add);
        FakeEdge taken = new("admin", _events) { FailsToStart = new ForebayException(ErrorKind.Unavailable, "the address is in use.") };

        int code = await RunAsync(signals, new FakeEdge("S3", _events), taken);

        Assert.Equal(ExitCode.Environment, code);
        Assert.Equal(["start S3", "dispose admin", "dispose S3", "dispose engine"], _events);
        Assert.Equal("forebay: the address is in use.\n", _error.ToString());
        Assert.Equal("", _output.ToString());
    }

    [Fact]
    public async Task TheBannerNamesEverythingAndShowsAGeneratedKeyOnce()
    {
        using TerminationSignals signals = TerminationSignals.Simulate(_exits.Add);
        await RunAsync(signals, new FakeEdge("S3", _events) { WhenStarted = () => signals.Receive(15) });

        string output = _output.ToString();
        Assert.Contains("S3     http://S3.invalid", output, StringComparison.Ordinal);
        Assert.Contains("mount  data  s3://bucket/x/", output, StringComparison.Ordinal);
        Assert.Contains("cache  none: everything is served through", output, StringComparison.Ordinal);
        Assert.Single(output.Split('\n'), line => line.Contains("AWS_SECRET_ACCESS_KEY=", StringComparison.Ordinal));
        Assert.Contains("\nready\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AGivenKeyIsNeverPrinted()
    {
        using TerminationSignals signals = TerminationSignals.Simulate(_exits.Add);
        ConfigurationInput input = _input with
        {
            Environment = name => name switch { "FOREBAY_ACCESS_KEY_ID" => "AKID", "FOREBAY_SECRET_ACCESS_KEY" => "topsecret", _ => null },
        };

        await ServeRunner.RunAsync(input, Compose(new FakeEdge("S3", _events) { WhenStarted = () => signals.Receive(15) }), signals, TimeProvider.System, _output, _error).WaitAsync(Patience);

        Assert.DoesNotContain("topsecret", _output.ToString() + _error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ReadinessIsTrueOnlyBetweenTheStartAndTheDrain()
    {
        Readiness readiness = new();
        NodePlan plan = new(new ForebayConfiguration(), readiness, TimeProvider.System);
        List<bool> seen = [];

        await using NodeHost host = await NodeHost.StartAsync(plan, Compose(new FakeEdge("S3", _events) { WhenStarted = () => seen.Add(readiness.IsReady) }), CancellationToken.None);
        seen.Add(readiness.IsReady);
        await host.DrainAsync();
        seen.Add(readiness.IsReady);

        Assert.Equal([false, true, false], seen);
    }

    [Fact]
    public async Task ADrainThatTakesTooLongIsCutOff()
    {
        SteppedTime time = new();
        NodePlan plan = new(new ForebayConfiguration(), new Readiness(), time);
        FakeEdge stuck = new("S3", _events) { Drained = new TaskCompletionSource().Task };
        await using NodeHost host = await NodeHost.StartAsync(plan, Compose(stuck), CancellationToken.None);

        Task drain = host.DrainAsync();
        time.Advance(NodeHost.DrainTime - TimeSpan.FromMilliseconds(1));
        Assert.False(drain.IsCompleted);
        time.Advance(TimeSpan.FromMilliseconds(1));

        await drain.WaitAsync(Patience);
    }

    private Task<int> RunAsync(TerminationSignals signals, params FakeEdge[] edges)
        => ServeRunner.RunAsync(_input, Compose(edges), signals, TimeProvider.System, _output, _error).WaitAsync(Patience);

    private ComposeNode Compose(params FakeEdge[] edges) => (_, _) => Task.FromResult(new NodeParts(new FakeNode(), edges, () =>
    {
        _events.Add("dispose engine");
        return ValueTask.CompletedTask;
    }));
}
