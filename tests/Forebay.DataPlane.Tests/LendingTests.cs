using System.Diagnostics;
using Forebay.Core;
using Forebay.DataPlane.Wire;
using Forebay.Testing;

namespace Forebay.DataPlane.Tests;

/// <summary>What is lent, to whom, for how long; over real sockets and cache files.</summary>
public sealed class LendingTests
{
    [Fact]
    public async Task AWholeFileIsLentWithAllItsBytesAndCannotBeWritten()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("dir/a", 300_000);
        FileBorrower borrower = world.Connected();

        using FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);

        Assert.Equal((0L, 300_000L), (file.Offset, file.Length));
        LendingWorld.AssertContent(stat, file);
        Assert.Equal(0, Native.Control(file.File!, Native.GetFileFlags, 0) & Native.AccessModeMask);
        Exception refused = Assert.ThrowsAny<Exception>(() => RandomAccess.Write(file.File!, new byte[1], 0));
        Assert.True(refused is IOException or UnauthorizedAccessException, refused.ToString());
        Assert.Equal((1, 300_000L), (world.Lender.LentFiles, world.Lender.LentBytes));
    }

    [Fact]
    public async Task OnlyTheVersionThatTheNodeWouldServeNowIsLent()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("a", 100_000);
        world.Memory.PutPattern("partly", 300_000);
        ObjectStat partly = await world.Node.Find("data")!.StatAsync("partly", null, CancellationToken.None);
        FileBorrower borrower = world.Connected();

        Assert.True((await borrower.BorrowAsync(stat with { ETag = "\"other\"" }, CancellationToken.None)).IsEmpty, "another ETag");
        Assert.True((await borrower.BorrowAsync(stat with { Length = 99_999 }, CancellationToken.None)).IsEmpty, "another length");
        Assert.True((await borrower.BorrowAsync(stat with { Key = "nothing" }, CancellationToken.None)).IsEmpty, "no such object");
        Assert.True((await borrower.BorrowAsync(partly, CancellationToken.None)).IsEmpty, "not whole");
        Assert.True((await borrower.BorrowAsync(stat with { Key = new string('k', 1025) }, CancellationToken.None)).IsEmpty, "a key that fits no message");
        world.Memory.PutPattern("a", 100_000);
        await world.Node.RefreshAsync("/data/a", CancellationToken.None);
        Assert.True((await borrower.BorrowAsync(stat, CancellationToken.None)).IsEmpty, "overwritten, and the node knows");
        Assert.Equal(0, world.Lender.LentFiles);
        Assert.False((await borrower.BorrowAsync(await world.BringAsync("a", 100_000), CancellationToken.None)).IsEmpty);
    }

    [Fact]
    public async Task RightsAreThoseOfTheKeyPair()
    {
        await using LendingWorld world = new() { ReadablePrefix = "open/" };
        ObjectStat open = await world.BringAsync("open/a", 1000);
        ObjectStat closed = await world.BringAsync("closed/a", 1000);
        FileBorrower borrower = world.Connected();
        FileBorrower below = world.Borrower(prefix: "open/");
        FileBorrower[] refused = [world.Borrower(secret: "another secret"), world.Borrower(key: "nobody"), world.Borrower(key: "nobody", secret: "none"), world.Borrower(mount: "nothing")];
        FileBorrower unsigned = world.Borrower(key: null);
        LendingWorld.Eventually("both are connected", () => unsigned.IsAvailable && below.IsAvailable);

        using (FileSegment file = await borrower.BorrowAsync(open, CancellationToken.None))
        {
            Assert.False(file.IsEmpty);
        }

        using (FileSegment file = await below.BorrowAsync(open with { Key = "a" }, CancellationToken.None))
        {
            Assert.False(file.IsEmpty);
        }

        Assert.True((await borrower.BorrowAsync(closed, CancellationToken.None)).IsEmpty, "outside of the key's prefix");
        Assert.True((await unsigned.BorrowAsync(open, CancellationToken.None)).IsEmpty, "without a key");
        Assert.All(refused, other => Assert.False(other.IsAvailable));
        foreach (FileBorrower other in refused)
        {
            Assert.True((await other.BorrowAsync(open, CancellationToken.None)).IsEmpty);
        }
    }

    [Fact]
    public async Task WhatIsLentStaysExactAndCountsUntilItIsReturned()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("a", 1 << 20);
        FileBorrower borrower = world.Connected();
        FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);
        FileSegment again = await borrower.BorrowAsync(stat, CancellationToken.None);
        Assert.Equal((1, 1L << 20), (world.Lender.LentFiles, world.Lender.LentBytes));

        await world.Node.FreeAsync("/data/a", pinnedToo: true, dryRun: false, CancellationToken.None);
        for (int i = 0; i < 80; i++)
        {
            await world.BringAsync($"others/{i}", 1 << 20);
        }

        LendingWorld.AssertContent(stat, file);
        Assert.True((await borrower.BorrowAsync(stat, CancellationToken.None)).IsEmpty, "freed");
        file.Dispose();
        LendingWorld.AssertContent(stat, again);
        Assert.Equal(1, world.Lender.LentFiles);
        await world.Node.FreeAsync("/data/", pinnedToo: true, dryRun: false, CancellationToken.None);
        long held = world.UsedBytes;
        again.Dispose();
        LendingWorld.Eventually("the bytes are free", () => world.Lender.LentFiles == 0 && world.UsedBytes <= held - (1 << 20));
    }

    [Fact]
    public async Task LoansEndWithTheirConnectionAndTheirBytesStayReadable()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("a", 100_000);
        FileBorrower borrower = world.Connected();
        using FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);

        borrower.Dispose();

        LendingWorld.Eventually("the node has taken it back", () => world.Lender is { LentFiles: 0, Connections: 0 });
        await world.Node.FreeAsync("/data/a", pinnedToo: true, dryRun: false, CancellationToken.None);
        LendingWorld.AssertContent(stat, file);
    }

    [Fact]
    public async Task ANodeThatComesBackIsFoundAgain()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("a", 100_000);
        FileBorrower borrower = world.Connected();
        using FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);

        world.StopLender();
        LendingWorld.Eventually("the mount has noticed", () => !borrower.IsAvailable);
        Assert.True((await borrower.BorrowAsync(stat, CancellationToken.None)).IsEmpty);
        LendingWorld.AssertContent(stat, file);
        Assert.Null(FileBorrower.NodeAt(world.Options.Path));
        world.StartLender();

        LendingWorld.Eventually("the mount is connected again", () => borrower.IsAvailable);
        using FileSegment again = await borrower.BorrowAsync(stat, CancellationToken.None);
        LendingWorld.AssertContent(stat, again);
        file.Dispose();
        Assert.Equal(1, world.Lender.LentFiles);
    }

    [Fact]
    public async Task ANodeThatComesBackCountsWhatIsHeld()
    {
        await using LendingWorld world = new();
        ObjectStat stat = await world.BringAsync("a", 100_000);
        FileBorrower borrower = world.Connected();
        FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);
        for (int restart = 0; restart < 2; restart++)
        {
            world.StopLender();
            Assert.Equal(0, world.Lender.LentFiles);
            world.StartLender();

            LendingWorld.Eventually("it is borrowed again", () => world.Lender.LentFiles == 1);
        }

        long used = world.UsedBytes;
        await world.Node.FreeAsync("/data/a", pinnedToo: true, dryRun: false, CancellationToken.None);
        Assert.Equal(used, world.UsedBytes);
        LendingWorld.AssertContent(stat, file);
        file.Dispose();
        LendingWorld.Eventually("it is given back", () => world.Lender.LentFiles == 0 && world.UsedBytes < used);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task WhatWasGivenBackOrReplacedWhileTheNodeWasAwayIsNotBorrowedAgain(bool isReplaced)
    {
        int asked = 0;
        await using LendingWorld world = new(options => options with { Find = name => new HesitantMountPoint(options.Find(name)!, knowsNothing: false, () => Interlocked.Increment(ref asked)) });
        ObjectStat stat = await world.BringAsync("a", 1000);
        ObjectStat other = await world.BringAsync("b", 1000);
        FileBorrower borrower = world.Connected();
        FileSegment file = await borrower.BorrowAsync(stat, CancellationToken.None);
        world.StopLender();
        LendingWorld.Eventually("the mount has noticed", () => !borrower.IsAvailable);
        int before = Volatile.Read(ref asked);
        if (isReplaced)
        {
            await world.Node.FreeAsync("/data/a", pinnedToo: true, dryRun: false, CancellationToken.None);
            await world.Node.FindFiles("data")!.BringAsync(stat, CancellationToken.None);
        }
        else
        {
            file.Dispose();
        }

        world.StartLender();
        LendingWorld.Eventually("the mount is connected again", () => borrower.IsAvailable && (!isReplaced || Volatile.Read(ref asked) > before));

        // Answers come in the order of the questions.
        using FileSegment next = await borrower.BorrowAsync(other, CancellationToken.None);
        LendingWorld.Eventually("only this one is lent", () => world.Lender.LentFiles == 1);
        if (isReplaced)
        {
            LendingWorld.AssertContent(stat, file);
            file.Dispose();
        }

        Assert.Empty(world.Log.All);
    }

    [Fact]
    public async Task WhatIsGivenBackWhileItIsBorrowedAgainIsNotHeld()
    {
        FileSegment file = default;
        int asked = 0;
        bool isBack = false;
        await using LendingWorld world = new(options => options with { Find = name => new HesitantMountPoint(options.Find(name)!, knowsNothing: false, GiveBack) });
        ObjectStat stat = await world.BringAsync("a", 1000);
        ObjectStat other = await world.BringAsync("b", 1000);
        FileBorrower borrower = world.Connected();
        file = await borrower.BorrowAsync(stat, CancellationToken.None);
        world.StopLender();
        LendingWorld.Eventually("the mount has noticed", () => !borrower.IsAvailable);
        Volatile.Write(ref asked, 0);
        Volatile.Write(ref isBack, true);
        world.StartLender();
        LendingWorld.Eventually("it is asked for again", () => Volatile.Read(ref asked) > 0);

        using FileSegment next = await borrower.BorrowAsync(other, CancellationToken.None);

        LendingWorld.Eventually("only this one is lent", () => world.Lender.LentFiles == 1);
        Assert.Empty(world.Log.All);

        void GiveBack()
        {
            if (Volatile.Read(ref isBack) && Interlocked.Increment(ref asked) == 1)
            {
                file.Dispose();
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task ALenderThatEndedAsksItsNodeNothingAnyMore(bool inThePool)
    {
        FileBorrower? borrower = null;
        using ManualResetEventSlim asked = new();
        bool hasLeft = false;
        await using LendingWorld world = new(options => options with { Find = name => new HesitantMountPoint(options.Find(name)!, inThePool, Hesitate) });
        ObjectStat stat = await world.BringAsync("a", 1000);
        borrower = world.Connected();
        Task<FileSegment> borrowing = borrower.BorrowAsync(stat, CancellationToken.None).AsTask();
        asked.Wait();

        world.StopLender();

        Assert.True(Volatile.Read(ref hasLeft), "the lender still works for its node");
        Assert.True((await borrowing).IsEmpty);
        Assert.Equal(0, world.Lender.LentFiles);

        void Hesitate()
        {
            asked.Set();
            LendingWorld.Eventually("the lender ends", () => !borrower!.IsAvailable);

            // Long enough for an end that waits for nobody.
            long ended = Stopwatch.GetTimestamp();
            SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(ended) > TimeSpan.FromMilliseconds(100));
            Volatile.Write(ref hasLeft, true);
        }
    }

    [Fact]
    public async Task FilesBytesAndConnectionsAreBounded()
    {
        await using LendingWorld world = new(options => options with { MaxFiles = 2, MaxBytes = 2500, MaxConnections = 1 });
        ObjectStat[] stats = [await world.BringAsync("a", 1000), await world.BringAsync("b", 1600), await world.BringAsync("c", 1000), await world.BringAsync("d", 400)];
        FileBorrower borrower = world.Connected();

        using FileSegment a = await borrower.BorrowAsync(stats[0], CancellationToken.None);
        using FileSegment b = await borrower.BorrowAsync(stats[1], CancellationToken.None);
        using FileSegment c = await borrower.BorrowAsync(stats[2], CancellationToken.None);
        using FileSegment d = await borrower.BorrowAsync(stats[3], CancellationToken.None);
        using FileSegment once = await borrower.BorrowAsync(stats[0], CancellationToken.None);

        Assert.Equal((false, true, false, true, false), (a.IsEmpty, b.IsEmpty, c.IsEmpty, d.IsEmpty, once.IsEmpty));
        Assert.Equal((2, 2000L), (world.Lender.LentFiles, world.Lender.LentBytes));
        Assert.Null(FileBorrower.NodeAt(world.Options.Path));
        Assert.Equal(1, world.Lender.Connections);
    }

    [Fact]
    public async Task WhoGivesUpWaitingLeavesNothingLent()
    {
        await using LendingWorld world = new(metadataTtl: TimeSpan.Zero);
        ObjectStat stat = await world.BringAsync("a", 100_000);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.StallUntil(release.Task)).OnEvery(UnderStoreCall.List, Fault.StallUntil(release.Task));
        FileBorrower impatient = world.Borrower(patience: TimeSpan.FromMilliseconds(50));
        LendingWorld.Eventually("the mount is connected", () => impatient.IsAvailable);

        long started = Stopwatch.GetTimestamp();
        FileSegment file = await impatient.BorrowAsync(stat, CancellationToken.None);

        Assert.True(file.IsEmpty && Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(10));
        using CancellationTokenSource cancelled = new();
        Task<FileSegment> other = world.Connected().BorrowAsync(stat, cancelled.Token).AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);
        release.SetResult();
        using FileSegment late = await world.Connected().BorrowAsync(stat, CancellationToken.None);
        Assert.False(late.IsEmpty);
        LendingWorld.Eventually("what came too late was returned", () => world.Lender.LentFiles == 1);
        late.Dispose();
        LendingWorld.Eventually("nothing is lent", () => world.Lender.LentFiles == 0);
    }

    [Fact]
    public async Task WhoWaitsForANodeThatGoesGetsNothingAtOnce()
    {
        await using LendingWorld world = new(metadataTtl: TimeSpan.Zero);
        ObjectStat stat = await world.BringAsync("a", 1000);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.StallUntil(release.Task)).OnEvery(UnderStoreCall.List, Fault.StallUntil(release.Task));
        FileBorrower borrower = world.Borrower(patience: TimeSpan.FromHours(1));
        LendingWorld.Eventually("the mount is connected", () => borrower.IsAvailable);
        Task<FileSegment> asked = borrower.BorrowAsync(stat, CancellationToken.None).AsTask();

        world.StopLender();

        Assert.True((await asked.WaitAsync(TimeSpan.FromSeconds(20))).IsEmpty);
        release.SetResult();
    }

    /// <summary>The end may come between two looks of who asks: nobody would answer him then.</summary>
    [Fact]
    public async Task WhoAsksAfterTheEndGetsNothingAtOnce()
    {
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using LendingSocket socket = LendingSocket.Connect(directory["socket"]);
        BorrowerSession session = new(socket);
        session.End();

        Task<Loan> asked = session.BorrowAsync(new LoanWish("a", "\"e\"", 1), TimeSpan.FromHours(1), new ManualTimeProvider(), isRenewal: false, CancellationToken.None).AsTask();

        Assert.Null((await asked.WaitAsync(TimeSpan.FromSeconds(20))).Descriptor);
    }

    [Fact]
    public async Task ARenewalHasItsPlaceBesideAllOtherQuestions()
    {
        using TempDirectory directory = new();
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using LendingSocket socket = LendingSocket.Connect(directory["socket"]);
        BorrowerSession session = new(socket);
        LoanWish wish = new("a", "\"e\"", 1);
        Task<Loan>[] asked = [.. Enumerable.Range(0, LenderConnection.MostQuestions / 2).Select(_ => AskAsync(isRenewal: false))];

        Assert.True(AskAsync(isRenewal: false).IsCompleted);
        Task<Loan> renewal = AskAsync(isRenewal: true);

        Assert.DoesNotContain(asked.Append(renewal), question => question.IsCompleted);
        session.End();
        Assert.All(await Task.WhenAll(asked.Append(renewal)), loan => Assert.Null(loan.Descriptor));

        Task<Loan> AskAsync(bool isRenewal) => session.BorrowAsync(wish, TimeSpan.FromHours(1), new ManualTimeProvider(), isRenewal, CancellationToken.None).AsTask();
    }

    /// <summary>A connection may end, and another renew what it holds, between a renewal's answer and its reader.</summary>
    [Fact]
    public async Task ARenewalThatWasOvertakenIsGivenBack()
    {
        using TempDirectory directory = new();
        File.WriteAllText(directory["file"], "x");
        using LendingSocket listener = LendingSocket.Listen(directory["socket"]);
        using LendingSocket socket = LendingSocket.Connect(directory["socket"]);
        BorrowerSession first = new(socket);
        BorrowerSession second = new(socket);
        BorrowerSession third = new(socket);
        HeldLoans held = new();
        LoanWish wish = new("a", "\"e\"", 1);
        FileSegment file = held.Add(Lent(first), wish);
        Loan late = Lent(second);

        await held.RenewAsync(second, async _ =>
        {
            await held.RenewAsync(third, _ => new ValueTask<Loan>(Lent(third)));
            return late;
        });

        // The third connection's loan is the one that is held.
        Assert.True(late.Descriptor!.IsClosed);
        int asked = 0;
        await held.RenewAsync(third, _ => Count());
        Assert.Equal(0, asked);
        Assert.False(file.File!.IsClosed);
        file.Dispose();
        Assert.True(file.File!.IsClosed);

        Loan Lent(BorrowerSession session) => new(session, 1, File.OpenHandle(directory["file"]));

        ValueTask<Loan> Count()
        {
            asked++;
            return default;
        }
    }

    [Fact]
    public async Task AMountAsksForNoMoreAtATimeThanItsNodeBears()
    {
        const int Most = LenderConnection.MostQuestions / 2;
        await using LendingWorld world = new(metadataTtl: TimeSpan.Zero);
        ObjectStat stat = await world.BringAsync("a", 100_000);
        TaskCompletionSource release = new(TaskCreationOptions.RunContinuationsAsynchronously);
        world.Plan.OnEvery(UnderStoreCall.Stat, Fault.StallUntil(release.Task)).OnEvery(UnderStoreCall.List, Fault.StallUntil(release.Task));
        FileBorrower borrower = world.Connected();
        Task<FileSegment>[] asked = [.. Enumerable.Range(0, Most).Select(_ => borrower.BorrowAsync(stat, CancellationToken.None).AsTask())];

        Task<FileSegment> more = borrower.BorrowAsync(stat, CancellationToken.None).AsTask();

        Assert.True(more.IsCompletedSuccessfully && (await more).IsEmpty, "one more was asked for");
        Assert.All(asked, one => Assert.False(one.IsCompleted));
        release.SetResult();
        foreach (FileSegment file in await Task.WhenAll(asked))
        {
            Assert.False(file.IsEmpty);
            file.Dispose();
        }

        using FileSegment later = await borrower.BorrowAsync(stat, CancellationToken.None);
        Assert.False(later.IsEmpty);
    }

    [Fact]
    public async Task ManyMountsAtOnceLeaveNothingLent()
    {
        await using LendingWorld world = new();
        ObjectStat[] stats = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => world.BringAsync($"f{i}", 50_000 + i)));
        FileBorrower[] borrowers = [.. Enumerable.Range(0, 4).Select(_ => world.Connected())];

        await Parallel.ForEachAsync(Enumerable.Range(0, 2000), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, token) =>
        {
            ObjectStat stat = stats[i % stats.Length];
            using FileSegment file = await borrowers[i % borrowers.Length].BorrowAsync(stat, token);
            Assert.Equal(stat.Length, file.Length);
            byte[] some = new byte[100];
            RandomAccess.Read(file.File!, some, 1000);
            Assert.Equal(-1, InMemoryUnderStore.PatternOf(stat).FirstMismatch(1000, some));
        });

        LendingWorld.Eventually("nothing is lent", () => world.Lender is { LentFiles: 0, LentBytes: 0 });
    }

    [RootFact]
    public async Task AnotherUserIsTurnedAway()
    {
        await using LendingWorld world = new();
        File.SetUnixFileMode(world.Directory.Path, (UnixFileMode)0x1ED);
        File.SetUnixFileMode(world.Options.Path, (UnixFileMode)0x1FF);
        const string Connect = "socket(S, AF_UNIX, SOCK_SEQPACKET, 0) or die $!; connect(S, sockaddr_un($ARGV[0])) or die $!; alarm 20; recv(S, my $b, 4096, 0); print length($b)";

        Assert.Equal("56", await RunAsync("perl", "-MSocket", "-e", Connect, world.Options.Path));
        Assert.Equal("0", await RunAsync("setpriv", "--reuid", "65534", "--clear-groups", "perl", "-MSocket", "-e", Connect, world.Options.Path));
    }

    private static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        string output = await process.StandardOutput.ReadToEndAsync();
        string error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, error);
        return output.Trim();
    }
}

/// <summary>A test that becomes another user; without root it is skipped, with this reason in the output.</summary>
internal sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = Environment.IsPrivilegedProcess ? null : "needs root: it becomes another user";
}
