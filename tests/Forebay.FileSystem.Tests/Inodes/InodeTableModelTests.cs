using System.Text;
using Forebay.Core;
using Forebay.Testing;
using Xunit;
using Xunit.Abstractions;

namespace Forebay.FileSystem.Tests.Inodes;

/// <summary>Random operations on a table and on a dictionary, with another process taking over in between; compared after every step.</summary>
public sealed class InodeTableModelTests(ITestOutputHelper output)
{
    private const int Steps = 20_000;
    private static readonly string[] Names = ["a", "b", "a-name-that-needs-more-than-the-room-in-its-slot", new string('z', 255), "ü"];
    private static readonly InodeAttributes Plain = new(InodeAttributes.Unknown, InodeAttributes.Unknown, InodeAttributes.Unknown, 0);
    private readonly Dictionary<ulong, Model> _inodes = [];
    private readonly Dictionary<(ulong Parent, string Name), ulong> _names = [];
    private readonly Dictionary<ulong, ulong> _handles = [];

    public static TheoryData<int> Seeds => new(Enumerable.Range(1, RandomTests.Of(3)));

    [Theory]
    [MemberData(nameof(Seeds))]
    public void TheTableEqualsTheModelAfterEveryStep(int seed)
    {
        output.WriteLine($"seed {seed}");
        var random = new Random(seed);
        using InodeRegion region = InodeRegion.Allocate(InodeRegion.FewestInodes);
        var table = new InodeTable(region, 1, DateTimeOffset.UnixEpoch);
        _inodes[InodeTable.Root] = new Model(0, "", null) { Lookups = 1 };
        for (int step = 0; step < Steps; step++)
        {
            switch (_inodes.Count > 300 ? 60 : random.Next(100))
            {
                case < 45:
                    LookUp(table, random);
                    break;
                case < 75:
                    Forget(table, random);
                    break;
                case < 87:
                    OpenOne(table, random);
                    break;
                case < 99:
                    CloseOne(table, random);
                    break;
                default:
                    table = new InodeTable(region, 1, DateTimeOffset.UnixEpoch);
                    break;
            }

            Compare(table, random, step);
        }
    }

    private void LookUp(InodeTable table, Random random)
    {
        ulong parent = Pick(_inodes.Where(pair => pair.Value.Stat is null).Select(pair => pair.Key), random);
        string name = Names[random.Next(Names.Length)];
        bool isDirectory = random.Next(3) == 0 && Depth(parent) < 4;
        ObjectStat? stat = isDirectory ? null : InodeTableTests.Stat(name, random.Next(3));
        bool done = table.TryLookUp(parent, Encoding.UTF8.GetBytes(name), isDirectory ? InodeKind.Directory : InodeKind.File, stat, Plain, (ulong)random.Next(1, 1000), false, out InodeView view);
        Assert.True(done);
        if (_names.TryGetValue((parent, name), out ulong known) && _inodes[known].Stat?.Token == stat?.Token && _inodes[known].Stat is null == stat is null)
        {
            Assert.Equal(known, view.NodeId);
            _inodes[known].Lookups++;
            return;
        }

        Assert.False(_inodes.ContainsKey(view.NodeId), "a nodeid in use was given again");
        _inodes[view.NodeId] = new Model(parent, name, stat) { Lookups = 1 };
        _names[(parent, name)] = view.NodeId;
    }

    private void Forget(InodeTable table, Random random)
    {
        ulong nodeId = Pick(_inodes.Keys, random);
        if (nodeId == InodeTable.Root)
        {
            return;
        }

        long count = random.Next(2) == 0 ? _inodes[nodeId].Lookups : Math.Min(1, _inodes[nodeId].Lookups);
        table.Forget(nodeId, (ulong)count);
        _inodes[nodeId].Lookups -= count;
        Sweep(nodeId);
    }

    private void OpenOne(InodeTable table, Random random)
    {
        ulong nodeId = Pick(_inodes.Keys, random);
        bool isDirectory = _inodes[nodeId].Stat is null;
        Assert.True(table.TryOpen(nodeId, isDirectory, OpenMode.Cached, 1, out ulong handle, out _));
        Assert.True(_handles.TryAdd(handle, nodeId), "a handle in use was given again");
        _inodes[nodeId].Opens++;
        if (isDirectory && random.Next(2) == 0)
        {
            table.SetPosition(handle, 1, Encoding.UTF8.GetBytes(Names[random.Next(Names.Length)]));
        }
    }

    private void CloseOne(InodeTable table, Random random)
    {
        if (_handles.Count == 0)
        {
            return;
        }

        ulong handle = Pick(_handles.Keys, random);
        ulong nodeId = _handles[handle];
        _handles.Remove(handle);
        _inodes[nodeId].Opens--;
        Assert.Equal(_inodes[nodeId].Opens == 0, table.Close(handle, out ulong closed, out _));
        Assert.Equal(nodeId, closed);
        Sweep(nodeId);
    }

    private void Sweep(ulong nodeId)
    {
        while (nodeId != InodeTable.Root && _inodes.TryGetValue(nodeId, out Model? model) && model.Lookups == 0 && model.Opens == 0
            && !_inodes.Values.Any(other => other.Parent == nodeId))
        {
            _inodes.Remove(nodeId);
            if (_names.TryGetValue((model.Parent, model.Name), out ulong current) && current == nodeId)
            {
                _names.Remove((model.Parent, model.Name));
            }

            nodeId = model.Parent;
        }
    }

    private void Compare(InodeTable table, Random random, int step)
    {
        Assert.True(_inodes.Count == table.Count, $"step {step}: {table.Count} inodes, should be {_inodes.Count}");
        Assert.Equal(_handles.Count, table.HandleCount);
        ulong nodeId = Pick(_inodes.Keys, random);
        Model model = _inodes[nodeId];
        Assert.Equal(PathOf(nodeId), table.PathOf(nodeId));
        Assert.Equal(model.Stat?.Token, table.StatOf(nodeId)?.Token);
        if (nodeId != InodeTable.Root)
        {
            ulong current = _names.GetValueOrDefault((model.Parent, model.Name));
            Assert.Equal(current, table.Peek(model.Parent, Encoding.UTF8.GetBytes(model.Name)));
            Assert.True(table.TryGet(nodeId, out InodeView view));
            Assert.Equal(current != nodeId, view.IsOutdated);
            Assert.Equal(model.Opens, view.Opens);
        }
    }

    private int Depth(ulong nodeId) => nodeId == InodeTable.Root ? 0 : 1 + Depth(_inodes[nodeId].Parent);

    private string PathOf(ulong nodeId)
    {
        Model model = _inodes[nodeId];
        return nodeId == InodeTable.Root ? "" : model.Parent == InodeTable.Root ? model.Name : $"{PathOf(model.Parent)}/{model.Name}";
    }

    private static ulong Pick(IEnumerable<ulong> values, Random random)
    {
        ulong[] sorted = [.. values.Order()];
        return sorted[random.Next(sorted.Length)];
    }

    private sealed record Model(ulong Parent, string Name, ObjectStat? Stat)
    {
        internal long Lookups { get; set; }

        internal int Opens { get; set; }
    }
}
