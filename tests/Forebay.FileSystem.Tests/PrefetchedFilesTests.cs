using Xunit;

namespace Forebay.FileSystem.Tests;

public sealed class PrefetchedFilesTests
{
    [Fact]
    public void AFileThatWasPrefetchedCountsAtItsFirstOpenOnly()
    {
        PrefetchedFiles files = new();
        files.OnOpen("before");
        files.Add("a");
        files.Add("nothing to fetch");
        files.Remove("nothing to fetch");

        files.OnOpen("a");
        files.OnOpen("a");
        files.OnOpen("b");
        files.OnOpen("nothing to fetch");

        Assert.Equal(1, files.Used);
    }

    [Fact]
    public void AnOpenAllocatesNothing()
    {
        PrefetchedFiles files = new();
        files.Add("a");
        files.OnOpen("a");

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1_000; i++)
        {
            files.OnOpen("a");
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
