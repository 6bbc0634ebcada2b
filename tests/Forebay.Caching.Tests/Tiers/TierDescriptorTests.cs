using System.Globalization;
using System.Runtime.InteropServices;
using Forebay.Testing;
using Microsoft.Win32.SafeHandles;
using Xunit;
using static Forebay.Caching.Tests.Tiers.TierHarness;

namespace Forebay.Caching.Tests.Tiers;

/// <summary>A process that has no descriptor left, really. Alone: everything else in it would fail too.</summary>
[Collection(nameof(TierDescriptorTests))]
public sealed partial class TierDescriptorTests : IDisposable
{
    private readonly TempDirectory _temp = new();

    public void Dispose() => _temp.Dispose();

    [Fact]
    public void IdleCacheFilesGiveTheirsToThoseThatAreRead()
    {
        using Tier tier = Open(_temp["tier"]);
        for (int i = 0; i < 100; i++)
        {
            PutAll(tier, Version($"idle/{i}", 100));
            Assert.True(Holds(tier, Version($"idle/{i}", 100), 0));
        }

        // What is not in the index yet is not closed.
        tier.FlushIndex();
        using (NoDescriptors.Begin())
        {
            for (int i = 0; i < 20; i++)
            {
                PutAll(tier, Version($"{i}", 100));
                Assert.True(Holds(tier, Version($"{i}", 100), 0));
            }
        }

        Assert.Equal(0, tier.IoErrors);
        Assert.Equal("ok", tier.State);
        Assert.True(Holds(tier, Version("idle/0", 100), 0));
    }

    /// <summary>Lowers the limit to what is open and takes what is free below it, until it is disposed.</summary>
    private sealed partial class NoDescriptors : IDisposable
    {
        private const int OpenFiles = 7;
        private readonly List<SafeFileHandle> _taken = [];
        private Limit _before;

        internal static NoDescriptors Begin()
        {
            var none = new NoDescriptors();
            Assert.Equal(0, GetLimit(OpenFiles, out none._before));
            ulong highest = Directory.GetFileSystemEntries("/proc/self/fd").Max(path => ulong.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture));
            Limit lowered = none._before with { Soft = highest + 1 };
            Assert.Equal(0, SetLimit(OpenFiles, in lowered));
            try
            {
                while (true)
                {
                    none._taken.Add(File.OpenHandle("/dev/null"));
                }
            }
            catch (IOException)
            {
                return none;
            }
        }

        public void Dispose()
        {
            _taken.ForEach(handle => handle.Dispose());
            Assert.Equal(0, SetLimit(OpenFiles, in _before));
        }

        [LibraryImport("libc", EntryPoint = "getrlimit")]
        private static partial int GetLimit(int resource, out Limit limit);

        [LibraryImport("libc", EntryPoint = "setrlimit")]
        private static partial int SetLimit(int resource, in Limit limit);

        private record struct Limit(ulong Soft, ulong Hard);
    }
}

/// <summary>Runs after all others.</summary>
[CollectionDefinition(nameof(TierDescriptorTests), DisableParallelization = true)]
public sealed class TierDescriptorCollection;
