using Forebay.Core;
using Forebay.Fuse;
using Forebay.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.FileSystem.Tests;

/// <summary>
/// Random operations of a kernel on a file system whose source changes and whose process is replaced in between, against the set of objects: names, kinds,
/// sizes and listings are those of the source, bytes those of the version a nodeid stands for, and nothing is left when all was given back.
/// </summary>
public sealed class FileSystemModelTests(ITestOutputHelper output)
{
    private const int Steps = 1_500;
    private static readonly string[] Paths = ["a", "a/b", "a/b/c", "a/d", "a-x", "e", "e/f", "g/h/i/j", "a.txt", "k/l", "ü/ö", "e/f/g"];
    private readonly Dictionary<ulong, Known> _known = new() { [1] = new Known("", null) };
    private readonly List<(ulong NodeId, ulong Handle)> _open = [];

    public static TheoryData<int> Seeds => new(Enumerable.Range(11, RandomTests.Of(4)));

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task TheFileSystemEqualsTheSourceAfterEveryStep(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        await using var world = new FileSystemWorld(new FileSystemOptions { PassthroughFromBytes = 50_000 }, passthrough: seed % 2 == 0);
        for (int step = 0; step < Steps; step++)
        {
            switch (random.Next(20))
            {
                case 0:
                    string changed = Paths[random.Next(Paths.Length)];
                    world.Memory.PutPattern(changed, random.Next(0, 200_000));
                    await world.Mount.RefreshAsync(changed, CancellationToken.None);
                    break;
                case 1:
                    string removed = Paths[random.Next(Paths.Length)];
                    world.Memory.Delete(removed);
                    await world.Mount.RefreshAsync(random.Next(2) == 0 ? removed : "", CancellationToken.None);
                    break;
                case 2 when random.Next(5) == 0:
                    world.Restart();
                    break;
                case < 8:
                    LookUp(world, random, step);
                    break;
                case < 10:
                    List(world, random, step);
                    break;
                case < 13:
                    OpenOne(world, random);
                    break;
                case < 17:
                    ReadOne(world, random, step);
                    break;
                case < 19:
                    CloseOne(world, random);
                    break;
                default:
                    ForgetOne(world, random);
                    break;
            }
        }

        foreach ((ulong nodeId, ulong handle) in _open)
        {
            world.Kernel.Release(nodeId, handle);
        }

        foreach ((ulong nodeId, Known known) in _known.OrderByDescending(pair => pair.Value.Path.Length))
        {
            world.Kernel.Forget(nodeId, known.Lookups);
        }

        Assert.Equal(1, world.FileSystem.Table.Count);
        Assert.Equal(0, world.FileSystem.Table.HandleCount);
    }

    private void LookUp(FileSystemWorld world, Random random, int step)
    {
        ulong parent = Pick(_known.Where(pair => pair.Value.Stat is null).Select(pair => pair.Key), random);
        string directory = _known[parent].Path;
        string[] names = [.. Paths.SelectMany(path => path.Split('/')).Distinct().Order(StringComparer.Ordinal)];
        string name = names[random.Next(names.Length)];
        string path = directory.Length == 0 ? name : $"{directory}/{name}";
        Reply reply = world.Kernel.Lookup(parent, name);
        FuseEntryOut entry = reply.Errno == 0 ? reply.Read<FuseEntryOut>() : default;
        Check(world, path, entry, $"step {step}, lookup of '{path}'");
    }

    private void Check(FileSystemWorld world, string path, in FuseEntryOut entry, string what)
    {
        bool isDirectory = Keys(world).Any(key => key.StartsWith(path + "/", StringComparison.Ordinal));
        ObjectStat? stat = isDirectory ? null : world.Memory.Peek(path);
        Assert.True((entry.NodeId != 0) == (isDirectory || stat is not null), $"{what}: {(entry.NodeId != 0 ? "is there" : "is missing")}");
        if (entry.NodeId == 0)
        {
            return;
        }

        Assert.True((entry.Attr.Mode & FuseMode.TypeMask) == (isDirectory ? FuseMode.Directory : FuseMode.File), $"{what}: wrong kind");
        if (_known.TryGetValue(entry.NodeId, out Known? known))
        {
            Assert.Equal(known.Path, path);
            Assert.True(known.Stat?.Token == stat?.Token, $"{what}: a nodeid changed its version");
        }
        else
        {
            known = new Known(path, stat);
            _known[entry.NodeId] = known;
        }

        known.Lookups++;
        if (stat is not null)
        {
            Assert.Equal((ulong)stat.Length, entry.Attr.Size);
        }
    }

    private void List(FileSystemWorld world, Random random, int step)
    {
        ulong nodeId = Pick(_known.Where(pair => pair.Value.Stat is null).Select(pair => pair.Key), random);
        string prefix = _known[nodeId].Path is { Length: > 0 } path ? path + "/" : "";
        bool plus = random.Next(2) == 0;
        List<DirectoryEntry> entries = [.. world.Kernel.List(nodeId, plus, random.Next(300, 2_000)).Where(entry => entry.Name is not ("." or ".."))];
        string[] expected = [.. Keys(world).Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).Select(key => key[prefix.Length..].Split('/')[0]).Distinct().Order(StringComparer.Ordinal)];
        Assert.True(expected.SequenceEqual(entries.Select(entry => entry.Name).Order(StringComparer.Ordinal)), $"step {step}, '{prefix}': {string.Join(' ', entries.Select(entry => entry.Name))}, should be {string.Join(' ', expected)}");
        foreach (DirectoryEntry entry in entries.Where(_ => plus))
        {
            Check(world, prefix + entry.Name, entry.Plus, $"step {step}, listing of '{prefix}'");
        }
    }

    private void OpenOne(FileSystemWorld world, Random random)
    {
        ulong[] files = [.. _known.Where(pair => pair.Value.Stat is not null).Select(pair => pair.Key)];
        if (files.Length == 0)
        {
            return;
        }

        ulong nodeId = Pick(files, random);
        Reply reply = world.Kernel.Open(nodeId);
        if (reply.Errno == 0)
        {
            _open.Add((nodeId, reply.Read<FuseOpenOut>().Handle));
            return;
        }

        Assert.Equal(Errno.ESTALE, reply.Errno);
        Assert.True(world.FileSystem.Table.TryGet(nodeId, out InodeView view) && view.IsOutdated, "stale, but the name stands for it still");
    }

    private void ReadOne(FileSystemWorld world, Random random, int step)
    {
        if (_open.Count == 0)
        {
            return;
        }

        (ulong nodeId, ulong handle) = _open[random.Next(_open.Count)];
        ObjectStat stat = _known[nodeId].Stat!;
        long offset = random.Next(0, 210_000);
        int size = random.Next(1, 140_000);
        Reply reply = world.Kernel.Read(nodeId, handle, offset, size);
        if (reply.Errno != 0)
        {
            Assert.Equal(Errno.ESTALE, reply.Errno);
            Assert.NotEqual(stat.Token, world.Memory.Peek(stat.Key)?.Token);
            return;
        }

        Assert.Equal(Math.Clamp(stat.Length - offset, 0, size), reply.Body.Length);
        Assert.True(InMemoryUnderStore.PatternOf(stat).Matches(offset, reply.Body), $"step {step}: bytes of another version");
    }

    private void CloseOne(FileSystemWorld world, Random random)
    {
        if (_open.Count == 0)
        {
            return;
        }

        (ulong nodeId, ulong handle) = _open[random.Next(_open.Count)];
        _open.Remove((nodeId, handle));
        world.Kernel.Release(nodeId, handle);
    }

    private void ForgetOne(FileSystemWorld world, Random random)
    {
        // As the kernel does: only what is neither open nor has names below it.
        ulong[] free = [.. _known.Where(pair => pair.Key != 1 && _open.TrueForAll(open => open.NodeId != pair.Key)
            && !_known.Values.Any(other => other.Path.StartsWith(pair.Value.Path + "/", StringComparison.Ordinal))).Select(pair => pair.Key)];
        if (free.Length > 0)
        {
            ulong nodeId = Pick(free, random);
            world.Kernel.Forget(nodeId, _known[nodeId].Lookups);
            _known.Remove(nodeId);
        }
    }

    private static IEnumerable<string> Keys(FileSystemWorld world) => Paths.Where(path => world.Memory.Peek(path) is not null);

    private static ulong Pick(IEnumerable<ulong> values, Random random)
    {
        ulong[] sorted = [.. values.Order()];
        return sorted[random.Next(sorted.Length)];
    }

    private sealed record Known(string Path, ObjectStat? Stat)
    {
        internal ulong Lookups { get; set; }
    }
}
