using Forebay.Cli.Mounting;
using Forebay.Core;
using Forebay.Testing;

namespace Forebay.Cli.Tests.Mounting;

public sealed class EarlyListingTests
{
    private static readonly ListQuery FirstPage = new("p/", "/", After: null, MaxEntries: 10);
    private readonly InMemoryUnderStore _memory = new();

    public EarlyListingTests() => _ = _memory.Put("p/file", "x");

    [Fact]
    public async Task ThePageIsAskedForOnceAndAnswersTheFirstWhoWantsIt()
    {
        await using EarlyListing store = new(_memory, FirstPage);
        Assert.True(SpinWait.SpinUntil(() => _memory.ListRequests == 1, TimeSpan.FromSeconds(10)), "nothing was asked for before somebody wanted it");

        ListPage page = await store.ListAsync(FirstPage with { MaxEntries = 1000 }, null, CancellationToken.None);

        Assert.Equal("p/file", Assert.Single(page.Entries).Name);
        Assert.Equal(1, _memory.ListRequests);
        await store.ListAsync(FirstPage, null, CancellationToken.None);
        Assert.Equal(2, _memory.ListRequests);
    }

    [Fact]
    public async Task AnotherQuestionHasItsOwnAnswer()
    {
        _memory.Put("p/other", "x");
        await using EarlyListing store = new(_memory, FirstPage);

        Assert.Empty((await store.ListAsync(FirstPage with { Prefix = "q/" }, null, CancellationToken.None)).Entries);
        Assert.Empty((await store.ListAsync(FirstPage with { After = "p/other" }, null, CancellationToken.None)).Entries);
        Assert.Single((await store.ListAsync(FirstPage with { MaxEntries = 1 }, null, CancellationToken.None)).Entries);
        Assert.Equal(2, (await store.ListAsync(FirstPage, null, CancellationToken.None)).Entries.Count);
        Assert.Equal(4, _memory.ListRequests);
    }

    [Fact]
    public async Task AFailureIsToldToTheOneWhoAsksAndTheNextOneAsksAnew()
    {
        FaultyUnderStore faulty = new(_memory, new FaultPlan().On(UnderStoreCall.List, 1, Fault.Fail(ErrorKind.AccessDenied)));
        await using EarlyListing store = new(faulty, FirstPage);

        ForebayException error = await Assert.ThrowsAsync<ForebayException>(() => store.ListAsync(FirstPage, null, CancellationToken.None));

        Assert.Equal(ErrorKind.AccessDenied, error.Kind);
        Assert.Single((await store.ListAsync(FirstPage, null, CancellationToken.None)).Entries);
    }
}
