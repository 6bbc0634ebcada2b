using Forebay.Core;
using Forebay.Engine.Tests.Reading;
using Forebay.Testing;
using Xunit;
using static Forebay.Engine.Tests.Reading.NodeWorld;

namespace Forebay.Engine.Tests.Nodes;

[Collection(NodeCollection.Name)]
public sealed class NodeTests
{
    [Fact]
    public async Task ALoadBringsEverythingBelowItsPathOnce()
    {
        await using NodeWorld world = new();
        long total = 0;
        for (int i = 0; i < 20; i++)
        {
            world.Memory.PutPattern($"set/{i:00}", i * 50_000);
            total += i * 50_000;
        }

        world.Memory.PutPattern("other", 1000);
        await world.ReadExactAsync("set/03");
        long before = world.Memory.BytesRead;

        LoadStatus first = await LoadAsync(world, "/data/set/");
        LoadStatus second = await LoadAsync(world, "/data/set");

        Assert.Equal((LoadState.Succeeded, 20L, total, 20L, total, total - before, 0L), (first.State, first.TotalObjects, first.TotalBytes, first.DoneObjects, first.DoneBytes, first.FetchedBytes, first.FailedObjects));
        Assert.Equal((LoadState.Succeeded, 20L, 0L), (second.State, second.DoneObjects, second.FetchedBytes));
        Assert.True(second.ListingComplete);
        Assert.Equal(total, world.Memory.BytesRead);
        Assert.Equal(new DiskUsage(20, total, 20, total), await world.Node.MeasureAsync("/data/set/", world.Deadline));
        Assert.Equal(["2", "1"], world.Node.Loads.Select(load => load.Id));
    }

    [Fact]
    public async Task AnInterruptedLoadResumesAfterARestartWhereItWas()
    {
        using TempDirectory directory = new();
        InMemoryUnderStore memory = new();
        for (int i = 0; i < 6; i++)
        {
            memory.PutPattern($"{i}", 1_000_000);
        }

        await using (NodeWorld world = new(directory: directory, memory: memory))
        {
            TaskCompletionSource never = new();
            world.Plan.When(UnderStoreCall.Read, (key, range) => key == "4" && range.End > 900_000, new Fault { AfterBytes = 70_000, ThenUntil = never.Task });
            LoadStatus load = await world.Node.StartLoadAsync(new LoadRequest(["/data"], Parallelism: 1), world.Deadline);
            Await(() => world.Node.FindLoad(load.Id)!.DoneObjects == 4 && world.Node.FillBuffers.Outstanding > 0, "the fifth object is half there");
            Assert.True(world.Node.CancelLoad(load.Id));
            Await(() => world.Node.FindLoad(load.Id)!.EndedAt is not null, "the load has ended");
            Assert.Equal(LoadState.Canceled, world.Node.FindLoad(load.Id)!.State);
            Assert.False(world.Node.CancelLoad(load.Id));
        }

        long before = memory.BytesRead;
        await using NodeWorld again = new(directory: directory, memory: memory);
        LoadStatus resumed = await LoadAsync(again, "/data");

        Assert.Equal((LoadState.Succeeded, 6L, 6_000_000L), (resumed.State, resumed.DoneObjects, resumed.DoneBytes));
        Assert.Equal(resumed.FetchedBytes, memory.BytesRead - before);
        Assert.InRange(resumed.FetchedBytes, 1_000_000, 2_000_000);
        for (int i = 0; i < 6; i++)
        {
            await again.ReadExactAsync($"{i}");
        }

        Assert.Equal(resumed.FetchedBytes, memory.BytesRead - before);
    }

    [Fact]
    public async Task ALoadCountsWhatItCouldNotBringAndSaysWhy()
    {
        await using NodeWorld world = new(fill: Fill with { MaxAttempts = 2 });
        world.Memory.PutPattern("good", 100_000);
        world.Memory.PutPattern("bad", 100_000);
        world.Plan.When(UnderStoreCall.Read, (key, _) => key == "bad", Fault.Fail(ErrorKind.AccessDenied));

        LoadStatus load = await LoadAsync(world, "/data");

        Assert.Equal((LoadState.Failed, 1L, 1L), (load.State, load.DoneObjects, load.FailedObjects));
        Assert.Contains("'bad'", load.LastError, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALoadOfWhatIsNotThereIsRefused()
    {
        await using NodeWorld world = new();

        ForebayException missing = await Assert.ThrowsAsync<ForebayException>(() => world.Node.StartLoadAsync(new LoadRequest(["/data/missing"]), world.Deadline));
        ForebayException unknown = await Assert.ThrowsAsync<ForebayException>(() => world.Node.StartLoadAsync(new LoadRequest(["/nowhere/x"]), world.Deadline));
        ForebayException wrong = await Assert.ThrowsAsync<ForebayException>(() => world.Node.StartLoadAsync(new LoadRequest(["data"]), world.Deadline));

        Assert.Equal((ErrorKind.NotFound, ErrorKind.NotFound, ErrorKind.InvalidArgument), (missing.Kind, unknown.Kind, wrong.Kind));
    }

    [Fact]
    public async Task FreeGivesBackWhatIsNotPinnedAndTheNextReadFetchesIt()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("set/a", 100_000);
        world.Memory.PutPattern("set/b", 100_000);
        world.Memory.PutPattern("settle", 100_000);
        await LoadAsync(world, "/data");
        Assert.Equal(1, (await world.Node.PinAsync("/data/set/a", world.Deadline)).Objects);

        CacheChange planned = await world.Node.FreeAsync("/data/set", pinnedToo: false, dryRun: true, world.Deadline);
        CacheChange done = await world.Node.FreeAsync("/data/set", pinnedToo: false, dryRun: false, world.Deadline);

        Assert.Equal(planned, done);
        Assert.Equal((1, 1), (done.Objects, done.PinnedObjects));
        PathDescription pinned = await world.Node.DescribeAsync("/data/set/a", world.Deadline);
        Assert.Equal((100_000L, true, 1), (pinned.CachedBytes, pinned.Pinned, pinned.Tiers.Count));
        Assert.Equal(0, (await world.Node.DescribeAsync("/data/set/b", world.Deadline)).CachedBytes);
        Assert.Equal(100_000, (await world.Node.DescribeAsync("/data/settle", world.Deadline)).CachedBytes);
        Assert.Equal(1, (await world.Node.FreeAsync("/data/set/a", pinnedToo: true, dryRun: false, world.Deadline)).Objects);
        await world.ReadExactAsync("set/b");
        Assert.Equal(400_000, world.Memory.BytesRead);
    }

    [Fact]
    public async Task WhatIsFreedWhileItIsReadStaysExact()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 4 << 20);
        Task[] readers = [.. Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            for (int i = 0; i < 15; i++)
            {
                await world.ReadExactAsync("a");
            }
        }))];
        while (!Task.WhenAll(readers).IsCompleted)
        {
            await world.Node.FreeAsync("/data/a", pinnedToo: true, dryRun: false, world.Deadline);
        }

        await Task.WhenAll(readers);
        await world.Node.FreeAsync("/data/", pinnedToo: true, dryRun: false, world.Deadline);
        await world.ReadExactAsync("a");
        Assert.Equal(0, world.Tier.IoErrors);
        Await(() => world.Tier.UsedBytes < (4 << 20) + (20 << 20), "freed bytes are no longer counted");
    }

    [Fact]
    public async Task TwoMountPointsOfOneBucketShareBytes()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("sub/a", 300_000);

        await world.ReadExactAsync("sub/a");
        await world.ReadExactAsync("a", 0, long.MaxValue, "sub");

        Assert.Equal(300_000, world.Memory.BytesRead);
        Assert.Equal((0L, 327_680L), (world.Node.GetStatus().MountPoints[0].CachedBytes, world.Node.GetStatus().MountPoints[1].CachedBytes + 24_576));
    }

    [Fact]
    public async Task StoppingWaitsForFillsThatNobodyWaitsFor()
    {
        NodeWorld world = new();
        world.Memory.PutPattern("a", 4 << 20);
        TaskCompletionSource never = new();
        world.Plan.OnEvery(UnderStoreCall.Read, new Fault { AfterBytes = 100_000, ThenUntil = never.Task });
        IObjectReader left = await world.OpenAsync("a", new ByteRange(0, 4 << 20));
        Await(() => world.Node.FillBuffers.Outstanding > 0, "a fill runs");

        await world.DisposeAsync();

        left.Dispose();
    }

    [Fact]
    public void ACacheDirectoryThatCannotBeUsedLeavesNothingOpen()
    {
        using TempDirectory directory = new();
        File.WriteAllText(directory["tier"], "a file");

        ForebayException error = Assert.Throws<ForebayException>(() => new NodeWorld(directory: directory));

        Assert.Contains(directory["tier"], error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task UnpinningTakesBackWhatIsPinnedAtAndBelowAPathAndSaysHowMuch()
    {
        await using NodeWorld world = new();
        foreach (string key in (string[])["set/a", "set/b", "set/deep/c", "settle", "other"])
        {
            world.Memory.PutPattern(key, 100_000);
        }

        await LoadAsync(world, "/data");
        await world.Node.PinAsync("/data/set/a", world.Deadline);
        await world.Node.PinAsync("/data/set/deep", world.Deadline);
        await world.Node.PinAsync("/data/settle", world.Deadline);
        Assert.Equal(["/data/set/a", "/data/set/deep/", "/data/settle"], world.Node.GetPins().Select(pin => pin.Path));
        Assert.All(world.Node.GetPins(), pin => Assert.Equal(1, pin.CachedObjects));

        Assert.Equal(0, world.Node.Unpin("/data/other").Objects);
        Assert.Equal(2, world.Node.Unpin("/data/set").Objects);
        Assert.Equal(0, world.Node.Unpin("/data/set").Objects);

        Assert.Equal(["/data/settle"], world.Node.GetPins().Select(pin => pin.Path));
        Assert.False((await world.Node.DescribeAsync("/data/set/deep/c", world.Deadline)).Pinned);
        Assert.True((await world.Node.DescribeAsync("/data/settle", world.Deadline)).Pinned);
    }

    [Fact]
    public async Task WhatIsPinnedAsAWholeIsNotUnpinnedInPart()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("set/a", 100_000);
        await LoadAsync(world, "/data");
        await world.Node.PinAsync("/data/set/", world.Deadline);

        ForebayException error = Assert.Throws<ForebayException>(() => world.Node.Unpin("/data/set/a"));

        Assert.Equal(ErrorKind.InvalidArgument, error.Kind);
        Assert.Contains("'/data/set/'", error.Message, StringComparison.Ordinal);
        Assert.True((await world.Node.DescribeAsync("/data/set/a", world.Deadline)).Pinned);
        Assert.Equal(1, world.Node.Unpin("/data/set/").Objects);
    }

    [Fact]
    public async Task MountPointsOfOneSourceShareItsPins()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("sub/a", 100_000);
        world.Memory.PutPattern("b", 100_000);
        await LoadAsync(world, "/data");
        await world.Node.PinAsync("/data/sub/a", world.Deadline);
        Assert.Equal("/sub/a", Assert.Single(world.Node.GetPins()).Path);
        await world.Node.PinAsync("/data", world.Deadline);

        Assert.Contains("'/data/'", Assert.Throws<ForebayException>(() => world.Node.Unpin("/sub")).Message, StringComparison.Ordinal);

        Assert.Equal(2, world.Node.Unpin("/data").Objects);
        Assert.Empty(world.Node.GetPins());
    }

    [Fact]
    public async Task PinsOverlapAndAnObjectThatEndsInASlashCountsOnce()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("set/", 100_000);
        world.Memory.PutPattern("set/deep/a", 100_000);
        world.Memory.PutPattern("other", 100_000);
        await LoadAsync(world, "/data");
        await world.Node.PinAsync("/data/", world.Deadline);
        await world.Node.PinAsync("/data/set/", world.Deadline);
        await world.Node.PinAsync("/data/set/deep/a", world.Deadline);

        Assert.Equal([("/data/", 3), ("/data/set/", 2), ("/data/set/deep/a", 1)], world.Node.GetPins().Select(pin => (pin.Path, (int)pin.CachedObjects)));
        Assert.All(world.Node.GetPins(), pin => Assert.Equal(pin.CachedObjects * 102_400, pin.CachedBytes));
    }

    [Theory]
    [InlineData("")]
    [InlineData("elsewhere/")]
    public async Task APinThatOnlyAnotherConfigurationReachedCanBeTakenBack(string pin)
    {
        using TempDirectory directory = new();
        await using (NodeWorld before = new(directory: directory))
        {
            before.Memory.PutPattern("elsewhere/a", 1000);
            await before.Node.PinAsync("/data/" + pin, before.Deadline);
        }

        await using NodeWorld world = new(directory: directory, mount: first => first with { Prefix = "here/" });
        Assert.Equal("/data/", Assert.Single(world.Node.GetPins()).Path);
        if (pin.Length == 0)
        {
            Assert.Contains("'/sub/'", Assert.Throws<ForebayException>(() => world.Node.Unpin("/sub/x")).Message, StringComparison.Ordinal);
        }

        world.Node.Unpin("/data/");

        Assert.Empty(world.Node.GetPins());
    }

    [Fact]
    public async Task WithoutACacheNothingIsPinned()
    {
        await using NodeWorld world = new(quotaBytes: null);
        world.Memory.PutPattern("a", 1000);

        Assert.Equal(ErrorKind.InvalidArgument, (await Assert.ThrowsAsync<ForebayException>(() => world.Node.PinAsync("/data/a", world.Deadline))).Kind);
        Assert.Equal(ErrorKind.InvalidArgument, (await Assert.ThrowsAsync<ForebayException>(() => world.Node.StartLoadAsync(new LoadRequest(["/data/a"], Pin: true), world.Deadline))).Kind);
        Assert.Empty(world.Node.GetPins());
    }

    private static async Task<LoadStatus> LoadAsync(NodeWorld world, string path)
    {
        LoadStatus load = await world.Node.StartLoadAsync(new LoadRequest([path]), world.Deadline);
        Await(() => world.Node.FindLoad(load.Id)!.EndedAt is not null, $"the load of {path} ends");
        return world.Node.FindLoad(load.Id)!;
    }

    [Fact]
    public async Task AnObjectThatIsGoneFromTheSourceCanStillBeUnpinned()
    {
        await using NodeWorld world = new();
        world.Memory.PutPattern("a", 100_000);
        await world.ReadExactAsync("a");
        await world.Node.PinAsync("/data/a", world.Deadline);
        Assert.Equal(0, (await world.Node.FreeAsync("/data/a", pinnedToo: false, dryRun: false, world.Deadline)).Objects);
        world.Memory.Delete("a");
        await world.Node.RefreshAsync("/data/a", world.Deadline);

        Assert.Equal(1, world.Node.Unpin("/data/a").Objects);

        Assert.Equal(1, (await world.Node.FreeAsync("/data/a", pinnedToo: false, dryRun: false, world.Deadline)).Objects);
    }
}
