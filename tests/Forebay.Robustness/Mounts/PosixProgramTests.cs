using Xunit.Abstractions;

namespace Forebay.Robustness.Mounts;

/// <summary>Programs of the distribution that read, compare and stress file systems, over a mount.</summary>
public sealed class PosixProgramTests(ITestOutputHelper output)
{
    [MountFact("fio", "fio")]
    public async Task FioVerifiesWhatItLaidOutInTheSource()
    {
        const string Layout = "--name=laid-out --bs=16k --size=24m --verify=crc32c --verify_pattern=%o --ioengine=psync --allow_file_create=0 --thread --minimal";
        using MountedDirectory mount = new();
        Directory.CreateDirectory(mount["source"]);
        await MustRunAsync(mount, $"cd {mount["source"]} && truncate -s 24m file damaged && fio {Layout} --filename=file --rw=write --do_verify=0 && cp file damaged && printf x | dd of=damaged bs=1 seek=5000000 conv=notrunc");
        await mount.MustMountAsync($"file://{mount["source"]}");

        foreach (string way in (string[])["--rw=read", "--rw=randread", "--rw=read --ioengine=mmap", "--rw=randread --ioengine=libaio --iodepth=8", "--rw=read --bs=16k --numjobs=3"])
        {
            await MustRunAsync(mount, $"cd {mount.MountPoint} && fio {Layout} --filename=file --readonly {way}");
        }

        // What is wrong in the source is told: fio has really looked.
        Finished damaged = await mount.ShellAsync($"cd {mount.MountPoint} && fio {Layout} --filename=damaged --readonly --rw=read");
        Assert.NotEqual(0, damaged.Code);
        Assert.Contains("verify", damaged.Text, StringComparison.OrdinalIgnoreCase);
    }

    [MountFact("rsync", "rsync")]
    public async Task RsyncTarDiffAndFindSeeTheTreeAsItIs()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        await MustRunAsync(mount, $"cd {mount["source"]} && mkdir -p many/deep && for i in $(seq 400); do head -c $((i * 97)) /dev/urandom > many/file-$i; done && cp many/file-40 many/deep/ && touch -d '2001-02-03 04:05:06' many/file-7");
        await mount.MustMountAsync($"file://{mount["source"]}");

        await MustRunAsync(mount, $"diff -r {mount["source"]} {mount.MountPoint}");
        Finished rsync = await mount.ShellAsync($"rsync -rtin --checksum --delete --omit-dir-times {mount.MountPoint}/ {mount["source"]}/");
        Assert.True(rsync is { Code: 0, Text: "" }, rsync.Text);
        await MustRunAsync(mount, $"mkdir {mount["copy"]} && tar -C {mount.MountPoint} -c . | tar -C {mount["copy"]} -x && diff -r {mount["source"]} {mount["copy"]} && tar -C {mount.MountPoint} -c --no-recursion many/file-7 | tar -tv | grep -q '2001-02-03 04:05'");
        await MustRunAsync(mount, $"list() {{ (cd $1 && find . -printf '%P %y\\n' | sort; find . -type f -printf '%P %s %Ts\\n' | sort); }}; diff <(list {mount["source"]}) <(list {mount.MountPoint})");
        await MustRunAsync(mount, $"test \"$(du -s --apparent-size -B1 {mount.MountPoint}/many | cut -f1)\" -ge $(cat {mount["source"]}/many/file-* | wc -c)");
    }

    [MountFact("stress-ng", "stress-ng")]
    public async Task StressNgFindsNothingToComplainOf()
    {
        using MountedDirectory mount = new();
        MountTests.MakeTree(mount["source"]);
        Directory.CreateDirectory(mount["work"]);
        await mount.MustMountAsync($"file://{mount["source"]}");

        Finished stress = await mount.ShellAsync($"stress-ng --temp-path {mount["work"]} --fstat 4 --fstat-dir {mount.MountPoint}/a --verify --timeout 4 --metrics-brief");
        output.WriteLine(stress.Text);
        Assert.True(stress.Code == 0, stress.Text);

        // One that must write is refused, and nothing hangs.
        Finished writer = await mount.ShellAsync($"timeout 20 stress-ng --temp-path {mount.MountPoint} --hdd 1 --timeout 2");
        Assert.True(writer.Code is not (0 or 124), writer.Text);
        await MustRunAsync(mount, $"diff -r {mount["source"]} {mount.MountPoint}");
    }

    private static async Task MustRunAsync(MountedDirectory mount, string script)
    {
        Finished finished = await mount.ShellAsync($"set -o pipefail; {script}");
        Assert.True(finished.Code == 0, $"{script} ended with {finished.Code}: {finished.Text}\n{mount.Log}");
    }
}
