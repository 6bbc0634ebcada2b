using System.Text.Json;

namespace Forebay.Robustness.Mounts;

/// <summary><c>forebay top</c> over real mounts.</summary>
public sealed class TopTests
{
    [MountFact]
    public async Task AMountIsShownWithWhatItDidAndARespawnIsCounted()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}");
        ListedMount first = await mount.ListedAsync();
        MountedDirectory.Kill(first.WorkerPid);
        await Eventually.TrueAsync("another worker serves", () => mount.Peek() is { } now && now.WorkerPid != first.WorkerPid && now.WorkerPid != 0);

        // Touched by the shell while the table's interval runs.
        Task<Finished> reading = mount.ShellAsync($"for i in $(seq 40); do stat {mount.MountPoint}/none$i 2>/dev/null; cat {mount.MountPoint}/a/large >/dev/null; sleep 0.1; done; true");
        Finished top = await mount.RunAsync("top", mount.MountPoint, "--once", "--interval", "2s", "--output", "json");
        Finished table = await mount.RunAsync("top", "--once", "--interval", "200ms");
        await reading;

        Assert.True(top.Code == 0, top.Text + mount.Log);
        using JsonDocument json = JsonDocument.Parse(top.Output);
        JsonElement row = Assert.Single(json.RootElement.GetProperty("mounts").EnumerateArray().ToList());
        Assert.Equal(("ok", 1), (row.GetProperty("state").GetString(), row.GetProperty("workerRespawns").GetInt32()));
        Assert.True(row.GetProperty("holderResidentBytes").GetInt64() > 1 << 20, top.Output);
        JsonElement rates = row.GetProperty("rates");
        Assert.Contains(rates.GetProperty("operations").EnumerateArray(), operation => operation.GetProperty("operation").GetString() is "lookup" && operation.GetProperty("perSecond").GetDouble() > 1);
        Assert.True(rates.GetProperty("passthroughOpensPerSecond").GetDouble() + rates.GetProperty("workerOpensPerSecond").GetDouble() > 1, top.Output);
        Assert.True(table.Code == 0 && table.Output.Contains("respawns: holder 0, worker 1", StringComparison.Ordinal), table.Text);
    }

    [MountFact]
    public async Task AStoppedWorkerIsShownAsSilentInBoundedTime()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        await mount.MustMountAsync($"file://{mount["source"]}");
        ListedMount listed = await mount.ListedAsync();
        const int Stop = 19;
        const int Continue = 18;
        MountedDirectory.Kill(listed.WorkerPid, Stop);

        Finished top = await mount.RunAsync("top", "--once", "--interval", "200ms");

        MountedDirectory.Kill(listed.WorkerPid, Continue);
        Assert.True(top.Code == 0, top.Text);
        Assert.Contains($"DOES NOT ANSWER (worker {listed.WorkerPid})", top.Output, StringComparison.Ordinal);
    }
}
