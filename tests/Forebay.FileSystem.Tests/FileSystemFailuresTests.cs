using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;

namespace Forebay.FileSystem.Tests;

public sealed class FileSystemFailuresTests
{
    /// <summary>Whoever may read a mount could fill the disk of its log.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void FailuresAreAllCountedAndTenASecondAreLogged(bool isFault)
    {
        ManualTimeProvider time = new();
        LoggedEvents log = new();
        FileSystemFailures failures = new(log, time);
        Exception error = isFault ? new InvalidOperationException("a fault") : new ForebayException(ErrorKind.Unavailable, "it is down");

        for (int i = 0; i < 25; i++)
        {
            Assert.Equal(Errno.EIO, failures.Report("read", $"file{i}", error, isInterrupted: false));
        }

        Assert.Equal(10, log.All.Count);
        time.Advance(TimeSpan.FromSeconds(1));
        failures.Report("read", "last", error, isInterrupted: false);

        Assert.Equal(26, failures.Count);
        Assert.Equal(12, log.All.Count);
        Assert.StartsWith("15 more", log.All.ElementAt(10).Line, StringComparison.Ordinal);
        Assert.Contains("'last'", log.All.Last().Line, StringComparison.Ordinal);
    }

    [Fact]
    public void ABugThatWasWrappedHasItsTraceAndTheErrnoOfItsKind()
    {
        LoggedEvents log = new();
        ForebayException bug = new(ErrorKind.AccessDenied, "wrapped", new InvalidCastException()) { IsUnforeseen = true };

        Assert.Equal(Errno.EACCES, new FileSystemFailures(log, new ManualTimeProvider()).Report("read", "file", bug, isInterrupted: false));

        Assert.Same(bug, Assert.Single(log.All).Exception);
    }

    [Fact]
    public void WhoGivesUpHimselfIsNoFailure()
    {
        LoggedEvents log = new();
        FileSystemFailures failures = new(log, new ManualTimeProvider());

        Assert.Equal(Errno.EINTR, failures.Report("read", "file", new OperationCanceledException(), isInterrupted: true));
        Assert.Equal(Errno.EIO, failures.Report("read", "file", new OperationCanceledException(), isInterrupted: false));

        Assert.Equal(1, failures.Count);
        Assert.Contains("timeout", Assert.Single(log.All).Line, StringComparison.Ordinal);
    }
}
