using System.Globalization;
using Forebay.Robustness.Nodes;
using Forebay.Robustness.Sources;

namespace Forebay.Robustness.Mounts;

/// <summary>Mounts over a running node (<c>forebay://</c>), each part a process of its own.</summary>
public sealed class NodeMountTests
{
    private const int LargeBytes = (9 << 20) + 7;

    [MountFact]
    public async Task ANodeIsMountedAndTheSourceSendsEachByteOnce()
    {
        await using World world = await World.StartAsync();

        await world.MountAsync();
        await world.AssertReadsAsync("dir/large");
        await world.AssertReadsAsync("dir/small");
        await world.AssertReadsAsync("dir/large");

        ListedMount listed = await world.Mount.ListedAsync();
        Assert.Equal(world.Url("data"), listed.Source);
        Assert.Equal(LargeBytes + 12_345, world.Source.SentBytes);
        Assert.Equal((1L, (long)LargeBytes), (await world.FigureAsync("lent_files"), await world.FigureAsync("lent_bytes")));
        Finished unmount = await world.Mount.RunAsync("unmount", world.Mount.MountPoint);
        Assert.True(unmount.Code == 0, unmount.Text);
        Assert.Empty(world.Mount.Processes());
    }

    [MountFact]
    public async Task WhatTheNodeHasWholeIsReadByTheKernelWithoutAByteOverHttp()
    {
        await using World world = await World.StartAsync();
        await world.Node.RunVerbAsync("load", "--wait", "/data/");
        await world.MountAsync();

        await world.AssertReadsAsync("dir/large");
        await world.AssertReadsAsync("dir/small");

        Finished status = await world.Mount.RunAsync("status", world.Mount.MountPoint, "--output", "json");
        Assert.Contains("\"underStoreBytesRead\":0,", status.Output, StringComparison.Ordinal);
        Assert.Equal(1, await world.FigureAsync("borrowers"));
        Finished unmount = await world.Mount.RunAsync("unmount", world.Mount.MountPoint);
        Assert.True(unmount.Code == 0, unmount.Text);
        await Eventually.TrueAsync("the node has everything back", async () => await world.FigureAsync("lent_files") == 0 && await world.FigureAsync("borrowers") == 0);
    }

    [MountFact]
    public async Task WhatIsOpenIsReadToItsEndWhileTheNodeEvictsAndDies()
    {
        await using World world = await World.StartAsync();
        await world.Node.RunVerbAsync("load", "--wait", "/data/");
        await world.MountAsync();
        using System.Diagnostics.Process reader = world.Mount.Start("bash", "-c", $"exec 5< {world.Mount.MountPoint}/dir/large; head -c 1000 <&5 > /dev/null; echo open; read go; cat <&5 | sha256sum; echo 3 > /proc/sys/vm/drop_caches; read go; cat {world.Mount.MountPoint}/dir/large | tail -c +1001 | sha256sum");
        Assert.Equal("open", await reader.StandardOutput.ReadLineAsync());
        Assert.Equal(LargeBytes, await world.FigureAsync("lent_bytes"));
        await world.Node.RunVerbAsync("free", "/data/");
        Assert.Equal(LargeBytes, await world.FigureAsync("lent_bytes"));

        await reader.StandardInput.WriteLineAsync("go");
        string? first = await reader.StandardOutput.ReadLineAsync();
        await world.Node.KillAsync();
        await world.RestartNodeAsync();
        await Eventually.TrueAsync("the mount has found the node again", async () => await world.FigureAsync("borrowers") == 1);
        await reader.StandardInput.WriteLineAsync("go");

        string expected = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(new PatternContent("dir/large", 1).Bytes(1000, LargeBytes - 1000))) + "  -";
        Assert.Equal((expected, expected), (first, await reader.StandardOutput.ReadLineAsync()));
    }

    [MountFact]
    public async Task FilesThatTheNodeEvictsUnderManyReadersStayExact()
    {
        await using World world = await World.StartAsync(settings => settings.CacheQuota = "32Mi");
        for (int i = 0; i < 12; i++)
        {
            world.Source.Put($"many/{i}", 1, 5_000_000 + i);
        }

        await world.MountAsync();
        for (int round = 0; round < 3; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
            {
                Finished read = await world.Mount.ShellAsync($"timeout 50 cat {world.Mount.MountPoint}/many/{i} | sha256sum");
                string expected = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(new PatternContent($"many/{i}", 1).Bytes(0, 5_000_000 + i)));
                Assert.True(read.Output.StartsWith(expected, StringComparison.Ordinal), $"many/{i} in round {round}: {read.Text}\n{world.Mount.Log}");
            }));
            Assert.InRange(await world.FigureAsync("lent_bytes"), 0, 16 << 20);
        }
    }

    [MountFact]
    public async Task DirectoriesOfANodesDirectoryAreShownAlsoWhenTheyAreEmpty()
    {
        await using World world = await World.StartAsync(settings => settings.MountDirectory("nas", Path.Combine(Path.GetDirectoryName(settings.CacheDirectory)!, "nas")));
        string tree = world.Path("nas");
        foreach (int i in Enumerable.Range(0, 30))
        {
            Directory.CreateDirectory(string.Create(CultureInfo.InvariantCulture, $"{tree}/{i:d2}/full"));
            Directory.CreateDirectory(string.Create(CultureInfo.InvariantCulture, $"{tree}/{i:d2}/empty"));
            await File.WriteAllTextAsync(string.Create(CultureInfo.InvariantCulture, $"{tree}/{i:d2}/full/file"), "x");
        }

        await world.MountAsync("nas");
        await world.Mount.RunAsync("load", "--wait", world.Mount.MountPoint);

        Finished compared = await world.Mount.ShellAsync($"diff <(cd {tree} && find . | sort) <(cd {world.Mount.MountPoint} && find . | sort) && diff -r {tree} {world.Mount.MountPoint}");
        Assert.True(compared.Code == 0, compared.Text);
    }

    [MountFact]
    public async Task APrefixOfANodeIsMountedIntoACacheOfItsOwn()
    {
        await using World world = await World.StartAsync();

        await world.MountAsync("data/dir", "--cache", $"{world.Mount["cache"]}:64Mi");

        await world.AssertReadsAsync("dir/large", "large");
        Assert.True(Directory.GetFiles(Path.Combine(world.Mount["cache"], "objects"), "*", SearchOption.AllDirectories).Length > 0, "nothing was cached");
    }

    [MountFact]
    public async Task WhatCannotBeMountedIsToldInASentence()
    {
        await using World world = await World.StartAsync();
        MountedDirectory mount = world.Mount;
        string s3 = world.Node.S3Address["http://".Length..];

        await FailsAsync(8, "start it with 'forebay serve'", "forebay://127.0.0.1:1/data");
        await FailsAsync(8, "is not the admin address of a node", $"forebay://{s3}/data");
        await FailsAsync(4, "has no mount point 'nothing'", world.Url("nothing"));
        await FailsAsync(2, "forebay://HOST:PORT/NAME", "forebay://127.0.0.1:9001");
        mount.Environment["FOREBAY_SECRET_ACCESS_KEY"] = "not the secret of that key";
        await FailsAsync(7, "FOREBAY_SECRET_ACCESS_KEY", world.Url("data"));
        mount.Environment.Remove("FOREBAY_SECRET_ACCESS_KEY");
        await FailsAsync(2, "needs a key pair of the node", world.Url("data"));
        Assert.False(mount.IsMounted);
        Assert.Empty(mount.Processes());

        async Task FailsAsync(int code, string part, string source)
        {
            Finished failed = await mount.RunAsync("mount", source, mount.MountPoint);
            Assert.True(failed.Code == code, $"{source} ended with {failed.Code}: {failed.Text}\n{mount.Log}");
            Assert.Contains(part, failed.Error, StringComparison.Ordinal);
            Assert.DoesNotContain("not the secret of that key", failed.Text, StringComparison.Ordinal);
        }
    }

    [MountFact]
    public async Task AnOverwrittenObjectIsSeenAfterARefreshOfNodeAndMountAndNeverMixed()
    {
        await using World world = await World.StartAsync();
        await world.MountAsync();
        await world.AssertReadsAsync("dir/large");
        world.Source.Put("dir/large", 2, LargeBytes + 1000);
        await world.AssertReadsAsync("dir/large", version: 1);

        await world.Node.RunVerbAsync("refresh", "/data/dir/large");
        Assert.True(
            await world.TryReadAsync("dir/large", version: 1) is null || await world.TryReadAsync("dir/large", version: 2) is null, "what is read between the two refreshes is neither version");
        Finished refresh = await world.Mount.RunAsync("refresh", $"{world.Mount.MountPoint}/dir/large");

        Assert.True(refresh.Code == 0, refresh.Text);
        await world.AssertReadsAsync("dir/large", version: 2);
    }

    [MountFact]
    public async Task AFileThatIsReadWhileItIsOverwrittenEndsOrKeepsItsVersion()
    {
        await using World world = await World.StartAsync();
        await world.MountAsync();
        using System.Diagnostics.Process reader = world.Mount.Start("bash", "-c", $"exec 5< {world.Mount.MountPoint}/dir/large; head -c 100000 <&5; sleep 0; read go; cat <&5");
        byte[] begin = new byte[100_000];
        await reader.StandardOutput.BaseStream.ReadExactlyAsync(begin);
        world.Source.Put("dir/large", 2, LargeBytes);
        await world.Node.RunVerbAsync("refresh", "/data/dir/large");
        await world.Node.RunVerbAsync("free", "/data/dir/large");
        await reader.StandardInput.WriteLineAsync("go");

        using MemoryStream rest = new();
        await reader.StandardOutput.BaseStream.CopyToAsync(rest).WaitAsync(MountedDirectory.Patience);

        PatternContent old = new("dir/large", 1);
        Assert.Equal(-1, old.FirstMismatch(0, begin));
        Assert.Equal(-1, old.FirstMismatch(begin.Length, rest.ToArray()));
    }

    [MountFact]
    public async Task ANodeThatIsKilledAndComesBackIsReadOn()
    {
        await using World world = await World.StartAsync();
        await world.MountAsync();
        await world.AssertReadsAsync("dir/large");

        await world.Node.KillAsync();
        Finished meanwhile = await world.Mount.ShellAsync($"timeout 50 cat {world.Mount.MountPoint}/dir/other | wc -c");
        await world.RestartNodeAsync();

        Assert.Equal("0", meanwhile.Output.Trim());
        await Eventually.TrueAsync("what nobody has read is read", async () => await world.TryReadAsync("dir/other") == null, TimeSpan.FromSeconds(30));
        await world.AssertReadsAsync("dir/large");
    }

    [MountFact]
    public async Task AWorkerThatIsKilledUnderAReaderCostsItNothing()
    {
        await using World world = await World.StartAsync();
        await world.MountAsync();
        Task<Finished> reading = world.Mount.ShellAsync($"for i in $(seq 40); do cat {world.Mount.MountPoint}/dir/large | sha256sum; cat {world.Mount.MountPoint}/dir/other | sha256sum; done | sort | uniq -c | awk '{{print $1}}'");
        int kills = 0;
        int killed = 0;
        while (!reading.IsCompleted && kills < 8)
        {
            if (world.Mount.Peek() is { WorkerPid: > 0 } now && now.WorkerPid != killed)
            {
                await Eventually.ReadsMoreAsync(now.WorkerPid, 10, () => reading.IsCompleted);
                Assert.True(MountedDirectory.Kill(now.WorkerPid));
                killed = now.WorkerPid;
                kills++;
            }

            await Eventually.TrueAsync("another worker serves", () => reading.IsCompleted || world.Mount.Peek()?.WorkerPid != killed);
        }

        Finished read = await reading;
        Assert.True(read.Output.Trim().Split('\n') is ["40", "40"], $"{read.Text} after {kills} kills\n{world.Mount.Log}");
        Assert.True(kills > 1, "the test has seen too little");
        await world.AssertReadsAsync("dir/large");
    }

    /// <summary>A source, a node before it, and a place to mount it on.</summary>
    private sealed class World : IAsyncDisposable
    {
        private readonly TempDirectory _directory = new();

        public PatternSource Source { get; } = new();

        public MountedDirectory Mount { get; } = new();

        public NodeProcess Node { get; private set; } = null!;

        /// <summary>A path beside the node's cache directory.</summary>
        public string Path(string name) => _directory[name];

        public string Url(string name) => $"forebay://{Node.AdminAddress["http://".Length..]}/{name}";

        public static async Task<World> StartAsync(Action<NodeSettings>? change = null)
        {
            World world = new();
            world.Source.Put("dir/large", 1, LargeBytes);
            world.Source.Put("dir/other", 1, LargeBytes / 2);
            world.Source.Put("dir/small", 1, 12_345);
            NodeSettings settings = new() { CacheDirectory = world._directory["cache"] };
            settings.MountS3("data", world.Source.Endpoint, PatternSource.Bucket, "metadata-ttl: 1h");
            settings.Environment["FOREBAY_RUNTIME_DIR"] = world.Mount["run"];
            change?.Invoke(settings);
            world.Node = await NodeProcess.StartAsync(settings);
            world.Mount.Environment["FOREBAY_ACCESS_KEY_ID"] = NodeSettings.AccessKeyId;
            world.Mount.Environment["FOREBAY_SECRET_ACCESS_KEY"] = NodeSettings.SecretAccessKey;
            return world;
        }

        public async Task MountAsync(string name = "data", params string[] options)
        {
            Finished mounted = await Mount.RunAsync(["mount", Url(name), Mount.MountPoint, "-o", "dbglevel=info,stat_cache_expire=3600", .. options]);
            Assert.True(mounted.Code == 0, $"{mounted.Text}\n{Mount.Log}");
        }

        public async Task<long> FigureAsync(string name) => (await Node.FiguresAsync())[name];

        /// <summary>A node at the addresses of the one before.</summary>
        public async Task RestartNodeAsync()
        {
            NodeSettings settings = Node.Settings!;
            (settings.S3Address, settings.AdminAddress) = (Node.S3Address["http://".Length..], Node.AdminAddress["http://".Length..]);
            await Node.DisposeAsync();
            Node = await NodeProcess.StartAsync(settings);
        }

        public async Task AssertReadsAsync(string key, string? path = null, long version = 1)
            => Assert.Null(await TryReadAsync(key, path, version));

        /// <summary>Reads through the mount; null when every byte is that of the version, else what was wrong.</summary>
        public async Task<string?> TryReadAsync(string key, string? path = null, long version = 1)
        {
            Finished read = await Mount.ShellAsync($"timeout 50 cat {Mount.MountPoint}/{path ?? key} > {Mount["copy"]}");
            byte[] bytes = await File.ReadAllBytesAsync(Mount["copy"]);
            long wrong = new PatternContent(key, version).FirstMismatch(0, bytes);
            return read.Code == 0 && wrong < 0 && bytes.Length > 0 ? null : string.Create(CultureInfo.InvariantCulture, $"{key}: {read.Text} {bytes.Length} bytes, the first wrong at {wrong}\n{Mount.Log}");
        }

        public async ValueTask DisposeAsync()
        {
            Mount.Dispose();
            await Node.DisposeAsync();
            await Source.DisposeAsync();
            _directory.Dispose();
        }
    }
}
