using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Xunit.Abstractions;

namespace Forebay.Robustness.Mounts;

/// <summary>Workers and holders that are killed under programs that read. The programs compare every byte and must see no error.</summary>
public sealed class FailoverTests(ITestOutputHelper output)
{
    private static readonly string[] Readers = ["sequential", "random", "mapped", "small"];
    private static readonly string Scripts = Path.Combine(Repository.Root, "tests", "Forebay.Robustness", "Mounts");

    /// <summary>Seconds of each part; the figure of the record is taken with 60.</summary>
    private static int Seconds => int.TryParse(Environment.GetEnvironmentVariable("FOREBAY_FAILOVER_SECONDS"), CultureInfo.InvariantCulture, out int seconds) ? seconds : 10;

    [MountFact]
    public async Task ARequestThatADyingWorkerTakesIsAnsweredByTheNextOne()
    {
        // Without a page of its own under each thread's first request, two of three of these were EIO.
        const int Kills = 15;
        using MountedDirectory mount = new();
        Directory.CreateDirectory(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}", "-o", "threads=8");

        Finished kills = await mount.ShellAsync($"python3 {Path.Combine(Scripts, "late_kill.py")} {mount.MountPoint} {mount["run"]} {Kills}");

        Assert.True(kills.Code == 0, kills.Text + mount.Log);
        Assert.Equal($"{{\"ENOENT\": {Kills}}}", kills.Output.Trim());
    }

    [MountFact]
    public async Task KilledWorkersCostReadersNoErrorAndNoByte()
    {
        using MountedDirectory mount = await MountAsync();
        int kills = await UnderReadersAsync(mount, async stop =>
        {
            int count = 0;
            while (!stop.IsCancellationRequested)
            {
                if (mount.Peek() is { WorkerPid: > 0 } now && MountedDirectory.Kill(now.WorkerPid))
                {
                    count++;
                }

                await Task.Delay(200, CancellationToken.None);
            }

            return count;
        });

        output.WriteLine($"{kills} kills in {Seconds} s");
        Assert.True(kills > Seconds, $"only {kills} workers were killed: the test has seen too little");
    }

    [MountFact]
    public async Task KilledHoldersCostNoErrorAndNoByte()
    {
        using MountedDirectory mount = await MountAsync();
        int kills = await UnderReadersAsync(mount, async stop =>
        {
            int count = 0;
            HashSet<int> holders = [];
            while (!stop.IsCancellationRequested)
            {
                if (mount.Peek() is { } now && holders.Add(now.HolderPid) && MountedDirectory.Kill(now.HolderPid))
                {
                    count++;
                }

                await Task.Delay(300, CancellationToken.None);
            }

            return count;
        });

        output.WriteLine($"{kills} kills in {Seconds} s");
        Assert.True(kills > 3, $"only {kills} holders were killed: the test has seen too little");
        Finished unmount = await mount.RunAsync("unmount", mount.MountPoint);
        Assert.True(unmount.Code == 0, unmount.Text + mount.Log);
    }

    [MountFact]
    public async Task AnUpgradeCostsNoErrorAndNoByte()
    {
        using MountedDirectory mount = await MountAsync();
        ListedMount before = await mount.ListedAsync();
        int upgrades = await UnderReadersAsync(mount, async stop =>
        {
            int count = 0;
            while (!stop.IsCancellationRequested)
            {
                Finished upgrade = await mount.RunAsync("mount", "--upgrade", mount.MountPoint);
                Assert.True(upgrade.Code == 0, upgrade.Text + mount.Log);
                count++;
                await Task.Delay(500, CancellationToken.None);
            }

            return count;
        });

        output.WriteLine($"{upgrades} upgrades in {Seconds} s");
        ListedMount after = await mount.ListedAsync();
        Assert.Equal(before.HolderPid, after.HolderPid);
        Assert.NotEqual(before.WorkerPid, after.WorkerPid);
    }

    [MountFact]
    public Task AFileThatIsOpenAcrossKillsOfBothStaysOpen() => StaysOpenAsync();

    [MountFact]
    public Task AFileThatWasOpenedWithoutAMessageStaysOpenToo() => StaysOpenAsync(",small_files");

    /// <summary>What the kernel believes without end, a worker that came after the one that gave it takes back.</summary>
    [MountFact]
    public Task ARefreshAfterAKillIsSeen() => RefreshAfterAKillIsSeenAsync(",immutable");

    [MountFact]
    public Task ARefreshAfterAKillIsSeenWhereOpensAreNotTold() => RefreshAfterAKillIsSeenAsync(",immutable,small_files");

    private static async Task RefreshAfterAKillIsSeenAsync(string options)
    {
        using MountedDirectory mount = await MountAsync(options);
        string small = Path.Combine(mount["source"], "small", "file-0");
        await mount.ShellAsync($"cat {mount.MountPoint}/small/file-0 > /dev/null");
        ListedMount before = mount.Peek()!;
        Assert.True(MountedDirectory.Kill(before.WorkerPid));
        await Eventually.TrueAsync("another worker is registered", () => mount.Peek() is { } next && next.WorkerPid != before.WorkerPid);
        await File.WriteAllTextAsync(small, "another");

        Finished refresh = await mount.RunAsync("refresh", mount.MountPoint);

        Assert.True(refresh.Code == 0, refresh.Text);
        await Eventually.TrueAsync("the file is seen anew", async () => (await mount.ShellAsync($"cat {mount.MountPoint}/small/file-0")).Output == "another");
    }

    private static async Task StaysOpenAsync(string options = "")
    {
        using MountedDirectory mount = await MountAsync(options);
        using Process reader = mount.Start("bash", "-c", $"exec 5< {mount.MountPoint}/large-0; head -c 100 <&5 > /dev/null; echo open; read go; cat <&5 | wc -c; stat -c %i {mount.MountPoint}/large-0");
        Assert.Equal("open", await reader.StandardOutput.ReadLineAsync());
        for (int i = 0; i < 3; i++)
        {
            ListedMount now = mount.Peek()!;
            Assert.True(MountedDirectory.Kill(i == 1 ? now.HolderPid : now.WorkerPid));
            await Eventually.TrueAsync("another one is registered", () => mount.Peek() is { } next && (i == 1 ? next.HolderPid != now.HolderPid : next.WorkerPid != now.WorkerPid));
        }

        await reader.StandardInput.WriteLineAsync("go");

        Assert.Equal((LargeBytes - 100).ToString(CultureInfo.InvariantCulture), await reader.StandardOutput.ReadLineAsync());
    }

    private const int LargeBytes = 40_000_000;

    private static async Task<MountedDirectory> MountAsync(string options = "")
    {
        MountedDirectory mount = new();
        Directory.CreateDirectory(Path.Combine(mount["source"], "small"));
        Random random = new(11);
        for (int i = 0; i < 3; i++)
        {
            byte[] bytes = new byte[LargeBytes + i];
            random.NextBytes(bytes);
            await File.WriteAllBytesAsync(Path.Combine(mount["source"], $"large-{i}"), bytes);
        }

        for (int i = 0; i < 300; i++)
        {
            byte[] bytes = new byte[1 + (i * 377)];
            random.NextBytes(bytes);
            await File.WriteAllBytesAsync(Path.Combine(mount["source"], "small", $"file-{i}"), bytes);
        }

        await mount.MustMountAsync($"file://{mount["source"]}", "-o", "dbglevel=info" + options);
        return mount;
    }

    private async Task<int> UnderReadersAsync(MountedDirectory mount, Func<CancellationToken, Task<int>> trouble)
    {
        string script = Path.Combine(Scripts, "reader.py");
        List<Process> readers = [];
        for (int i = 0; i < Readers.Length; i++)
        {
            readers.Add(mount.Start("python3", script, Readers[i], mount.MountPoint, mount["source"], mount["stop"], i.ToString(CultureInfo.InvariantCulture)));
        }

        Task<string>[] outputs = [.. readers.Select(reader => reader.StandardOutput.ReadToEndAsync())];
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(Seconds));
        int count = await trouble(stop.Token);
        await File.WriteAllTextAsync(mount["stop"], "");
        foreach ((Process reader, Task<string> said) in readers.Zip(outputs))
        {
            string text = await said.WaitAsync(MountedDirectory.Patience);
            output.WriteLine(text.Trim());
            using JsonDocument json = JsonDocument.Parse(text);
            JsonElement result = json.RootElement;
            Assert.True(result.GetProperty("error").ValueKind == JsonValueKind.Null && result.GetProperty("wrong").GetInt64() == 0, $"{text}\n{mount.Log}");
            Assert.True(result.GetProperty("operations").GetInt64() > 20, $"a reader has hardly read: {text}\n{mount.Log}");
            reader.Dispose();
        }

        return count;
    }
}
