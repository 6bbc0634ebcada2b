using System.Runtime.InteropServices;
using Xunit;

namespace Forebay.Fuse.Tests;

public sealed unsafe class RequestMemoryTests
{
    [Fact]
    public void AllOfItIsInMemoryBeforeTheFirstRequestComes()
    {
        // So large that it is a mapping of its own, never memory that somebody used before.
        const int Bytes = 64 << 20;
        using FuseRequestMemory memory = new(Bytes);
        byte[] pages = new byte[Bytes / Environment.SystemPageSize];

        fixed (byte* first = pages)
        {
            Assert.Equal(0, mincore(memory.Address, Bytes, first));
        }

        Assert.Equal(0, (nint)memory.Address % Environment.SystemPageSize);
        Assert.All(pages, page => Assert.Equal(1, page & 1));
    }

    [DllImport("libc", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int mincore(void* address, nuint length, byte* pages);
}
