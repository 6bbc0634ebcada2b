using Forebay.Core;
using Forebay.Engine.Tests.Reading;
using Forebay.Testing;
using Xunit;

namespace Forebay.Engine.Tests.Metadata;

[Collection(NodeCollection.Name)]
public sealed class NameResolutionTests
{
    [Theory]
    [InlineData("", "data")]
    [InlineData("sub/", "sub")]
    public async Task ANameIsAFileADirectoryOrNothingAndADirectoryWins(string prefix, string mount)
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern(prefix + "file", 7);
        world.Memory.PutPattern(prefix + "both", 7);
        world.Memory.PutPattern(prefix + "both/below", 7);
        world.Memory.PutPattern(prefix + "marker/", 0);
        IFileMountPoint files = world.Node.FindFiles(mount)!;

        ResolvedName file = await files.ResolveAsync("file", NameDetail.Headers, null, world.Deadline);
        ResolvedName both = await files.ResolveAsync("both", NameDetail.Listed, null, world.Deadline);
        ResolvedName marker = await files.ResolveAsync("marker", NameDetail.Listed, null, world.Deadline);
        ResolvedName none = await files.ResolveAsync("none", NameDetail.Listed, null, world.Deadline);

        Assert.Equal(("file", 7L, false), (file.Object!.Key, file.Object.Length, file.IsDirectory));
        Assert.NotNull(file.Object.Headers);
        Assert.True(both.IsDirectory);
        Assert.True(marker.IsDirectory);
        Assert.False(none.Exists);
    }

    [Fact]
    public async Task WhatWasResolvedIsKnownUntilItExpires()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("d/file", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;

        await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline);
        long asked = world.Memory.Requests;
        time.Advance(TimeSpan.FromSeconds(3));

        Assert.True(files.TryResolve("d/file", NameDetail.Headers, out ResolvedName known));
        Assert.InRange(known.FreshFor, TimeSpan.FromSeconds(56), TimeSpan.FromSeconds(57));
        time.Advance(TimeSpan.FromSeconds(60));
        Assert.False(files.TryResolve("d/file", NameDetail.Listed, out _));
        Assert.Equal(asked, world.Memory.Requests);
    }

    [Fact]
    public async Task AListingAnswersForItsNamesAndForThoseThatAreMissing()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("d/a", 7);
        world.Memory.PutPattern("d/sub/b", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;

        DirectoryPage page = await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        long asked = world.Memory.Requests;

        Assert.Equal(["d/a", "d/sub/"], page.Entries.Select(entry => entry.Name));
        Assert.InRange(page.FreshFor, TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60));
        Assert.True(files.TryResolve("d/a", NameDetail.Listed, out ResolvedName file) && file.Object!.Length == 7);
        Assert.True(files.TryResolve("d/sub", NameDetail.Listed, out ResolvedName sub) && sub.IsDirectory);
        Assert.True(files.TryResolve("d/none", NameDetail.Listed, out ResolvedName none) && !none.Exists);
        Assert.False(files.TryResolve("d/a", NameDetail.Headers, out _));
        Assert.Equal(asked, world.Memory.Requests);
    }

    [Theory]
    [InlineData("leaf/")]
    [InlineData("above/")]
    public async Task AFileIsKnownAsLongAsTheListingThatShowsItAndAbsenceOnlyForItsOwnTime(string directory)
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern(directory + "a", 7);
        world.Memory.PutPattern("above/sub/b", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        await files.ListDirectoryAsync(directory, null, 1_000, null, world.Deadline);
        time.Advance(TimeSpan.FromSeconds(6));
        long asked = world.Memory.Requests;

        Assert.True(files.TryResolve(directory + "a", NameDetail.Listed, out ResolvedName file));
        Assert.InRange(file.FreshFor, TimeSpan.FromSeconds(53), TimeSpan.FromSeconds(54));
        Assert.Equal(asked, world.Memory.Requests);
        ResolvedName withHeaders = await files.ResolveAsync(directory + "a", NameDetail.Headers, null, world.Deadline);
        Assert.NotNull(withHeaders.Object!.Headers);
        Assert.InRange(withHeaders.FreshFor, TimeSpan.FromSeconds(53), TimeSpan.FromSeconds(54));
        Assert.Equal(asked + 1, world.Memory.Requests);

        world.Memory.PutPattern(directory + "new", 8);
        world.Memory.PutPattern(directory + "made/below", 8);
        Assert.False(files.TryResolve(directory + "new", NameDetail.Listed, out _));
        Assert.Equal(8, (await files.ResolveAsync(directory + "new", NameDetail.Listed, null, world.Deadline)).Object?.Length);
        Assert.Equal(8, (await files.ResolveAsync(directory + "new", NameDetail.HeadersIfAsked, null, world.Deadline)).Object?.Length);
        Assert.True((await files.ResolveAsync(directory + "made", NameDetail.HeadersIfAsked, null, world.Deadline)).IsDirectory);
        Assert.True(files.TryResolve(directory + "made", NameDetail.Headers, out ResolvedName made) && made.IsDirectory);
        Assert.InRange(made.FreshFor, TimeSpan.FromSeconds(59), TimeSpan.FromSeconds(60));
        ResolvedName none = await files.ResolveAsync(directory + "none", NameDetail.Listed, null, world.Deadline);
        Assert.False(none.Exists);
        Assert.InRange(none.FreshFor, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(5));
    }

    /// <summary>A listing of what begins with a name is kept apart when it shows directories: it must be found again, and be newer than the one above it.</summary>
    [Fact]
    public async Task WhatWasAskedLaterCountsWhereANameHasNeighboursThatBeginLikeIt()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("d/file", 7);
        world.Memory.PutPattern("d/file-x/a", 7);
        world.Memory.PutPattern("d/none-x/a", 7);
        world.Memory.PutPattern("d/gone", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        await files.ResolveAsync("d/gone", NameDetail.Headers, null, world.Deadline);
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.True(files.TryResolve("d/file", NameDetail.Listed, out _));
        Assert.False((await files.ResolveAsync("d/none", NameDetail.Listed, null, world.Deadline)).Exists);
        Assert.True(files.TryResolve("d/none", NameDetail.Listed, out ResolvedName none) && !none.Exists);
        Assert.InRange(none.FreshFor, TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(5));

        world.Memory.Delete("d/gone");
        world.Memory.PutPattern("d/file/below", 7);
        time.Advance(TimeSpan.FromSeconds(30));
        Assert.False((await files.ResolveAsync("d/gon", NameDetail.Listed, null, world.Deadline)).Exists);
        Assert.False((await files.ResolveAsync("d/gone", NameDetail.Listed, null, world.Deadline)).Exists);
        Assert.True((await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline)) is { IsDirectory: false, Object: not null }, "the listing says so, for metadata-ttl");
        world.Memory.Delete("d/file");
        time.Advance(TimeSpan.FromSeconds(25));
        Assert.True((await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline)).IsDirectory);
    }

    [Fact]
    public async Task AFileThatBecameADirectoryIsOneAsSoonAsItsHeadersAreAskedFor()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("d/file", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        world.Memory.Delete("d/file");
        world.Memory.PutPattern("d/file/below", 7);
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.True((await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline)).IsDirectory);
    }

    [Fact]
    public async Task ADirectoryThatCameLaterStandsInWhileTheSourceIsDown()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time, fill: NodeWorld.Fill with { MaxAttempts = 1 });
        world.Memory.PutPattern("d/sub/a", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        world.Memory.PutPattern("d/made/sub/a", 7);
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.True((await files.ResolveAsync("d/made", NameDetail.Listed, null, world.Deadline)).IsDirectory);
        world.Plan.OnEvery(UnderStoreCall.List, Fault.Fail(ErrorKind.Unavailable));
        time.Advance(TimeSpan.FromSeconds(120));

        Assert.True((await files.ResolveAsync("d/made", NameDetail.Listed, null, world.Deadline)).IsDirectory);
    }

    [Fact]
    public async Task AFileThatWasFoundGoneIsNotBelievedAgainBecauseAnOlderListingShowsIt()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("d/a", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        world.Memory.Delete("d/a");
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.False((await files.ResolveAsync("d/a", NameDetail.Headers, null, world.Deadline)).Exists);
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.False((await files.ResolveAsync("d/a", NameDetail.Listed, null, world.Deadline)).Exists);
        Assert.False((await files.ResolveAsync("d/a", NameDetail.HeadersIfAsked, null, world.Deadline)).Exists);
    }

    [Fact]
    public async Task ADirectoryThatIsGoneIsNotBelievedAgainBecauseAnOlderListingShowsIt()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("d/made/below", 7);
        world.Memory.PutPattern("d/other/below", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        Assert.True((await files.ResolveAsync("d/made", NameDetail.Listed, null, world.Deadline)).IsDirectory);
        world.Memory.Delete("d/made/below");
        await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.False((await files.ResolveAsync("d/made", NameDetail.Listed, null, world.Deadline)).Exists);
    }

    /// <summary>The listing was asked for first and answered last: what lies below the name may have come since.</summary>
    [Fact]
    public async Task ThatANameIsNothingIsBelievedNoLongerThanThatNothingLiesBelowIt()
    {
        var time = new ManualTimeProvider();
        await using NodeWorld world = new(time);
        world.Memory.PutPattern("d/file", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        (Task<DirectoryPage> listing, TaskCompletionSource late) = ListLate(world, files);
        time.Advance(TimeSpan.FromSeconds(3));
        await Assert.ThrowsAsync<ForebayException>(() => world.Data.StatAsync("d/name", null, world.Deadline).AsTask());
        late.SetResult();
        await listing;

        Assert.True(files.TryResolve("d/name", NameDetail.Listed, out ResolvedName none) && !none.Exists);
        Assert.InRange(none.FreshFor, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        world.Memory.PutPattern("d/name/below", 7);
        time.Advance(TimeSpan.FromSeconds(3));
        Assert.True((await files.ResolveAsync("d/name", NameDetail.Listed, null, world.Deadline)).IsDirectory);
    }

    /// <summary>That nothing lies below the name is known from a listing that was asked for later, but that does not tell of the name itself.</summary>
    [Fact]
    public async Task AFileIsNotGoneBecauseAListingThatWasAskedForBeforeItWasSeenDoesNotShowIt()
    {
        await using NodeWorld world = new(new ManualTimeProvider());
        world.Memory.PutPattern("d/sub/below", 7);
        world.Memory.PutPattern("d/name", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        (Task<DirectoryPage> listing, TaskCompletionSource late) = ListLate(world, files);
        await world.Data.StatAsync("d/name", null, world.Deadline);
        await files.ListDirectoryAsync("d/name/", null, 1_000, null, world.Deadline);
        world.Memory.Delete("d/name");
        late.SetResult();
        Assert.Equal(["d/sub/"], (await listing).Entries.Select(entry => entry.Name));

        Assert.True(files.TryResolve("d/name", NameDetail.Listed, out ResolvedName file));
        Assert.Equal(7, file.Object?.Length);
    }

    [Fact]
    public async Task ADirectoryBehindManyNamesThatBeginLikeItIsFound()
    {
        await using NodeWorld world = new();
        for (int i = 0; i < 300; i++)
        {
            world.Memory.PutPattern($"name.{i:d3}", 1);
        }

        world.Memory.PutPattern("name/below", 1);

        Assert.True((await world.Node.FindFiles("data")!.ResolveAsync("name", NameDetail.Listed, null, world.Deadline)).IsDirectory);
    }

    [Fact]
    public async Task CredentialsThatMayNotListStillResolveFiles()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("file", 7);
        world.Plan.OnEvery(UnderStoreCall.List, Fault.Fail(ErrorKind.AccessDenied));
        IFileMountPoint files = world.Node.FindFiles("data")!;

        Assert.Equal(7, (await files.ResolveAsync("file", NameDetail.HeadersIfAsked, null, world.Deadline)).Object!.Length);
        Assert.False((await files.ResolveAsync("none", NameDetail.Listed, null, world.Deadline)).Exists);
    }

    [Fact]
    public async Task OnAnImmutableMountFilesAndDirectoriesHoldForEverButNotAbsence()
    {
        await using NodeWorld world = new(mount: point => point with { Immutable = true });
        world.Memory.PutPattern("d/file", 7);
        IFileMountPoint files = world.Node.FindFiles("data")!;

        Assert.Equal(TimeSpan.MaxValue, (await files.ResolveAsync("d", NameDetail.Listed, null, world.Deadline)).FreshFor);
        Assert.Equal(TimeSpan.MaxValue, (await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline)).FreshFor);
        Assert.InRange((await files.ResolveAsync("none", NameDetail.Listed, null, world.Deadline)).FreshFor, TimeSpan.Zero, TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task WhileTheSourceIsDownWhatNamesMeantStandsInAndAbsenceIsNotGuessed()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, fill: NodeWorld.Fill with { MaxAttempts = 1 });
        IFileMountPoint files = await KnownTreeAsync(world);
        time.Advance(TimeSpan.FromMinutes(5));
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.Fail(ErrorKind.Unavailable)).OnEvery(UnderStoreCall.List, Fault.Fail(ErrorKind.Unavailable));

        ResolvedName directory = await files.ResolveAsync("d", NameDetail.Listed, null, world.Deadline);
        ResolvedName nested = await files.ResolveAsync("d/sub", NameDetail.Headers, null, world.Deadline);
        ResolvedName withHeaders = await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline);
        ResolvedName listed = await files.ResolveAsync("d/other", NameDetail.HeadersIfAsked, null, world.Deadline);

        Assert.True(directory.IsDirectory && nested.IsDirectory);
        Assert.NotNull(withHeaders.Object!.Headers);
        Assert.Equal(9, listed.Object!.Length);
        Assert.All([directory, nested, withHeaders, listed], answer => Assert.Equal(TimeSpan.Zero, answer.FreshFor));
        await Assert.ThrowsAsync<ForebayException>(() => files.ResolveAsync("unknown", NameDetail.Listed, null, world.Deadline).AsTask());
        await Assert.ThrowsAsync<ForebayException>(() => files.ResolveAsync("d/other", NameDetail.Headers, null, world.Deadline).AsTask());
    }

    [Fact]
    public async Task AfterARefreshNothingStandsInForASourceThatIsDown()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time, fill: NodeWorld.Fill with { MaxAttempts = 1 });
        IFileMountPoint files = await KnownTreeAsync(world);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.Fail(ErrorKind.Unavailable)).OnEvery(UnderStoreCall.List, Fault.Fail(ErrorKind.Unavailable));

        await files.RefreshAsync("", world.Deadline);

        foreach (string name in (string[])["d", "d/file", "d/other", "d/sub"])
        {
            await Assert.ThrowsAsync<ForebayException>(() => files.ResolveAsync(name, NameDetail.Listed, null, world.Deadline).AsTask());
        }
    }

    [Fact]
    public async Task ASourceThatHangsIsWaitedForOnceAndThenStoodInForAtOnce()
    {
        ManualTimeProvider time = new();
        await using NodeWorld world = new(time);
        IFileMountPoint files = await KnownTreeAsync(world);
        time.Advance(TimeSpan.FromMinutes(5));
        TaskCompletionSource released = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.StallUntil(released.Task)).OnEvery(UnderStoreCall.List, Fault.StallUntil(released.Task));

        int asked = world.Plan.Calls(UnderStoreCall.List);
        Task<ResolvedName> first = files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline).AsTask();
        NodeWorld.Await(() => world.Plan.Calls(UnderStoreCall.List) > asked, "the source is asked");
        Assert.False(first.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(6));

        Assert.Equal(7, (await first.WaitAsync(world.Deadline)).Object!.Length);
        Assert.True((await files.ResolveAsync("d", NameDetail.Listed, null, world.Deadline)).IsDirectory);
        Assert.Equal(9, (await files.ResolveAsync("d/other", NameDetail.Listed, null, world.Deadline)).Object!.Length);
        Assert.Equal(3, (await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline)).Entries.Count);
        released.SetResult();
    }

    private static async Task<IFileMountPoint> KnownTreeAsync(NodeWorld world)
    {
        world.Memory.PutPattern("d/file", 7);
        world.Memory.PutPattern("d/other", 9);
        world.Memory.PutPattern("d/sub/below", 5);
        IFileMountPoint files = world.Node.FindFiles("data")!;
        await files.ListDirectoryAsync("", null, 1_000, null, world.Deadline);
        await files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline);
        await files.ResolveAsync("d/file", NameDetail.Headers, null, world.Deadline);
        return files;
    }

    /// <summary>Has the first listing of d/ asked for; it is answered, by what is there then, when the second value is set.</summary>
    private static (Task<DirectoryPage> Listing, TaskCompletionSource Late) ListLate(NodeWorld world, IFileMountPoint files)
    {
        TaskCompletionSource late = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.On(UnderStoreCall.List, 1, Fault.StallUntil(late.Task));
        Task<DirectoryPage> listing = files.ListDirectoryAsync("d/", null, 1_000, null, world.Deadline).AsTask();
        NodeWorld.Await(() => world.Plan.Calls(UnderStoreCall.List) == 1, "the listing is asked for");
        return (listing, late);
    }
}
