using Forebay.Core;
using Forebay.Engine.Metadata;
using Forebay.Engine.Options;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

public sealed class UnknownNameOutageTests : IDisposable
{
    private static readonly ForebayException Down = new(ErrorKind.Unavailable, "connection refused");
    private readonly ScriptedStore _store = new();
    private readonly SteppedTime _time = new();
    private readonly MetadataCache _cache;
    private readonly CancellationTokenSource _deadline = new(TimeSpan.FromSeconds(30));

    public UnknownNameOutageTests()
    {
        _cache = new MetadataCache(_store, new MountPointOptions { Name = "m", Source = "test://" }, _time);
    }

    public void Dispose()
    {
        _cache.Dispose();
        _deadline.Dispose();
    }

    [Fact]
    public async Task AfterTwoUnknownNamesHaveFailedTheOthersFailAtOnceAndOneASecondAsks()
    {
        _store.Failure = Down;
        await FailsAsync("first");
        await FailsAsync("second");

        for (int i = 0; i < 100; i++)
        {
            ForebayException refused = await FailsAsync($"unknown{i}");
            Assert.Equal((ErrorKind.Unavailable, OutageGuard.BackOff), (refused.Kind, refused.RetryAfter));
            Assert.Contains("connection refused", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(2, _store.Stats);
        for (int second = 0; second < 5; second++)
        {
            _time.Advance(1);
            await FailsAsync("a");
            await FailsAsync("b");
            await Assert.ThrowsAsync<ForebayException>(() => ListAsync($"dir{second}/"));
        }

        Assert.Equal((7, 0), (_store.Stats, _store.Lists));
    }

    [Fact]
    public async Task WhoAsksWhenTheSourceIsBackGetsTheAnswerAndSoDoAllWhoWaitedForIt()
    {
        _store.Failure = Down;
        await FailsAsync("first");
        await FailsAsync("second");
        _store.Put(ScriptedStore.MakeStat("a"));
        _store.Put(ScriptedStore.MakeStat("b"));
        _store.Failure = null;
        _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _time.Advance(1);

        Task<StatEntry> probe = GetAsync("a");
        Task<StatEntry> waiting = GetAsync("b");
        Task<ListPage> listing = ListAsync("");
        Assert.Equal((3, 0), (_store.Stats, _store.Lists));
        _store.Hold.SetResult();

        Assert.Equal(("a", "b"), ((await probe).Key, (await waiting).Key));
        Assert.Equal(2, (await listing).Entries.Count);
    }

    [Fact]
    public async Task AProbeThatHangsHoldsNobodyLongerThanASecond()
    {
        _store.Failure = Down;
        await FailsAsync("first");
        await FailsAsync("second");
        _store.Hold = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _time.Advance(1);

        Task<StatEntry> probe = GetAsync("a");
        Task<StatEntry> waiting = GetAsync("b");
        Assert.False(probe.IsCompleted || waiting.IsCompleted);
        _time.Advance(1);

        await Assert.ThrowsAsync<ForebayException>(() => probe);
        await Assert.ThrowsAsync<ForebayException>(() => waiting);
        Assert.Equal(3, _store.Stats);
        _store.Failure = null;
        _store.Hold.SetResult();
        Assert.True((await GetAsync("c")).IsNegative);
    }

    [Fact]
    public async Task ANameThatAHealthySourceChokesOnIsNoOutage()
    {
        for (int i = 0; i < 3; i++)
        {
            _store.Failure = Down;
            await FailsAsync("poison");
        }

        _store.Failure = null;

        Assert.True((await GetAsync("other")).IsNegative);
        Assert.Equal(4, _store.Stats);
    }

    [Fact]
    public async Task AThrottledSourceIsAskedOn()
    {
        _store.Failure = new ForebayException(ErrorKind.Throttled, "slow down");
        await FailsAsync("first");
        await FailsAsync("second");
        await FailsAsync("third");

        Assert.Equal(3, _store.Stats);
    }

    private Task<ForebayException> FailsAsync(string key) => Assert.ThrowsAsync<ForebayException>(() => GetAsync(key));

    private Task<StatEntry> GetAsync(string key) => _cache.GetAsync(key, requireHeaders: true, null, _deadline.Token).AsTask();

    private Task<ListPage> ListAsync(string prefix) => _cache.ListAsync(new ListQuery(prefix, "/", null, 100), null, _deadline.Token).AsTask();
}
