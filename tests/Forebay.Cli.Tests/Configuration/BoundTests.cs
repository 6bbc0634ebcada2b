using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Forebay.Cli.Configuration;
using Forebay.Core;
using Forebay.Core.Sockets;
using Forebay.DataPlane;
using Forebay.FileSystem;
using Forebay.Fuse;
using Forebay.Mounting;
using Forebay.Mounting.Options;

namespace Forebay.Cli.Tests.Configuration;

/// <summary>The bounds of mounts that no option sets: docs/CONFIGURATION.md lists each of them, with the value that the code has.</summary>
public sealed partial class BoundTests
{
    private const string Title = "### Bounds of mounts that no option sets";
    private const BindingFlags Constants = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
    private static readonly Assembly[] Rooms = [typeof(DescriptorSocket).Assembly, typeof(FuseSession).Assembly, typeof(MountedFileSystem).Assembly, typeof(MountDescription).Assembly, typeof(FileLender).Assembly];
    private static readonly object[] Options = [new FuseSessionOptions(), new FuseConnectionOptions(), new FileSystemOptions()];

    private static readonly Dictionary<string, string> Documented = File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "docs", "CONFIGURATION.md"))
        .SkipWhile(line => line != Title).Skip(1).TakeWhile(line => !line.StartsWith('#'))
        .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
        .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
        .ToDictionary(cells => cells[1].Trim('`'), cells => cells[2].Trim('`'), StringComparer.Ordinal);

    public static TheoryData<string> Names => [.. Documented.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void ADocumentedBoundIsThatOfTheCode(string name) => Assert.Equal($"{name} is {InCode(name) ?? "nothing"}", $"{name} is {Documented[name]}");

    [Fact]
    public void WhateverIsNamedLikeABoundIsDocumented()
    {
        IEnumerable<string> fields = Rooms.SelectMany(room => room.GetTypes())
            .Where(type => type.Namespace?.StartsWith("Forebay.", StringComparison.Ordinal) == true && type != typeof(MountOptions).Assembly.GetType("Forebay.Mounting.Options.MountOptionTable") && !type.Name.StartsWith('<'))
            .SelectMany(type => type.GetFields(Constants).Where(IsBound).Select(field => $"{type.Name}.{field.Name}"));
        IEnumerable<string> options = Options.SelectMany(option => option.GetType().GetProperties().Where(property => Bound().IsMatch(property.Name)).Select(property => $"{option.GetType().Name}.{property.Name}"));

        Assert.Equal("", string.Join('\n', fields.Concat(options).Except(Documented.Keys, StringComparer.Ordinal).Select(name => $"| `{name}` | `{InCode(name)}` | |")));
    }

    [Fact]
    public void TheOptionForInodesEndsWhereTheTableDoes()
    {
        MountOptionResult most = MountOptionParser.Parse([$"max_inodes={InodeRegion.MostInodes}"], ignoreUnknown: false);
        MountOptionResult more = MountOptionParser.Parse([$"max_inodes={InodeRegion.MostInodes + 1}"], ignoreUnknown: false);

        Assert.Empty(most.Faults);
        Assert.Single(more.Faults);
    }

    private static bool IsBound(FieldInfo field)
        => (field.IsLiteral || field.IsInitOnly) && (field.FieldType == typeof(int) || field.FieldType == typeof(long) || field.FieldType == typeof(TimeSpan)) && Bound().IsMatch(field.Name);

    private static string? InCode(string name)
    {
        string[] parts = name.Split('.');
        object? value = Options.FirstOrDefault(option => option.GetType().Name == parts[0]) is { } options && options.GetType().GetProperty(parts[1]) is { } property
            ? property.GetValue(options)
            : Rooms.SelectMany(room => room.GetTypes()).Where(type => type.Name == parts[0]).Select(type => type.GetField(parts[1], Constants)).FirstOrDefault(field => field is not null)?.GetValue(null);
        return value switch
        {
            TimeSpan time => Duration.Format(time),
            IConvertible number when parts[1].Contains("Bytes", StringComparison.Ordinal) => ByteSize.Format(number.ToInt64(CultureInfo.InvariantCulture)),
            IConvertible number => number.ToInt64(CultureInfo.InvariantCulture).ToString("N0", CultureInfo.InvariantCulture),
            _ => null,
        };
    }

    [GeneratedRegex("Max|Most|Longest|Largest|Capacity|Kept$|Patience|Delay|AtOnce|PerSecond|GiveUpAfter|Queue|UntilDropped|Parallelism", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Bound();
}
