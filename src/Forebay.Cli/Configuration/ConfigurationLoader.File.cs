using Forebay.Core;

namespace Forebay.Cli.Configuration;

/// <summary>The file.</summary>
internal sealed partial class ConfigurationLoader
{
    /// <summary>What this build reads and writes.</summary>
    private const string FormatVersion = "1";

    private const int MaxFileBytes = 16 << 20;

    private string _fileDirectory = "/";
    private bool _fileHoldsSecrets;

    private void ReadFile(string file)
    {
        string path = Path.GetFullPath(file, _input.WorkingDirectory);
        _fileDirectory = Path.GetDirectoryName(path) ?? "/";
        YamlNode? document;
        try
        {
            if (new FileInfo(path).Length > MaxFileBytes)
            {
                _faults.Add(Place.InFile(file, 1), "this file is too long for a configuration.");
                return;
            }

            using StreamReader text = new(path);
            document = YamlReader.Read(text, file, _faults);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _faults.Add(Place.Outside(file), "the configuration file cannot be read; check that it exists and that this user may read it.");
            return;
        }

        if (_faults.Any && document is null)
        {
            return;
        }

        if (document is not YamlMap root)
        {
            _faults.Add(Place.InFile(file, document?.Line ?? 1), "the file must hold options; begin it with \"version: 1\".");
            return;
        }

        CheckVersion(root, file);
        ReadRoot(root, file);
        WarnOfReadableSecrets(path, file);
    }

    private void CheckVersion(YamlMap root, string file)
    {
        YamlEntry? version = root.Find("version");
        if (version is null)
        {
            _faults.Add(Place.InFile(file, root.Line), "the format's version is missing; begin the file with \"version: 1\".");
        }
        else if (version.Value is not YamlScalar { Text: FormatVersion })
        {
            _faults.Add(Place.InFile(file, version.Line), "this forebay reads version 1 of the format; write \"version: 1\" or take a newer forebay.");
        }
    }

    private void ReadRoot(YamlMap root, string file)
    {
        Bind(KnownOptions.Top, root, file, "", KnownOptions.Groups, (row, setting) => _top = row.Apply(_top, setting, _faults));
        foreach (YamlEntry entry in root.Entries)
        {
            Place place = Place.InFile(file, entry.Line);
            switch (entry.Key)
            {
                case "mounts":
                    ReadMounts(entry, file);
                    break;
                case "cache":
                    _cacheGiven = true;
                    ReadItems(entry, file, (map, name, itemPlace) =>
                    {
                        TierDraft draft = new(name, itemPlace);
                        _tiers.Add(draft);
                        Bind(KnownOptions.Tier, map, file, name, [], (row, setting) => draft.Value = row.Apply(draft.Value, setting, _faults));
                    });
                    break;
                case "keys":
                    ReadItems(entry, file, (map, name, itemPlace) =>
                    {
                        KeyDraft draft = new(name, itemPlace);
                        _keys.Add(draft);
                        Bind(KnownOptions.Key, map, file, name, [], (row, setting) => draft.Value = row.Apply(draft.Value, setting, _faults));
                    });
                    break;
                case "s3":
                    _s3Place = place;
                    ReadGroup(KnownOptions.S3, entry, file, (row, setting) => _s3 = row.Apply(_s3, setting, _faults));
                    break;
                case "admin":
                    ReadGroup(KnownOptions.Admin, entry, file, (row, setting) => _admin = row.Apply(_admin, setting, _faults));
                    break;
                case "fill":
                    _fillPlace = place;
                    ReadGroup(KnownOptions.Fill, entry, file, (row, setting) => _fill = row.Apply(_fill, setting, _faults));
                    break;
                case "limits":
                    ReadGroup(KnownOptions.Limits, entry, file, (row, setting) => _limits = row.Apply(_limits, setting, _faults));
                    break;
                case "log":
                    ReadGroup(KnownOptions.Log, entry, file, (row, setting) => _log = row.Apply(_log, setting, _faults));
                    break;
            }
        }
    }

    private void ReadMounts(YamlEntry mounts, string file)
    {
        if (!IsMap(mounts, mounts.Value, file, "mounts", out YamlMap? map))
        {
            return;
        }

        foreach (YamlEntry entry in map.Entries)
        {
            Place place = Place.InFile(file, entry.Line);
            MountDraft draft = Mount(entry.Key, place);
            string name = $"mounts.{Shorten(entry.Key)}";
            if (entry.Value is YamlScalar { Text: { } })
            {
                // Short form, NAME: URL, as on the command line.
                BindMountOption(draft, KnownOptions.Mount.Rows[0], new Setting(place, name, entry.Value, _fileDirectory));
            }
            else if (IsMap(entry, entry.Value, file, name, out YamlMap? options))
            {
                Bind(KnownOptions.Mount, options, file, name, [], (row, setting) => BindMountOption(draft, row, setting));
            }
        }
    }

    private void ReadGroup<T>(OptionTable<T> table, YamlEntry entry, string file, Action<KnownOption<T>, Setting> bind)
    {
        if (IsMap(entry, entry.Value, file, entry.Key, out YamlMap? map))
        {
            Bind(table, map, file, entry.Key, [], bind);
        }
    }

    private void ReadItems(YamlEntry entry, string file, Action<YamlMap, string, Place> read)
    {
        if (entry.Value is not YamlList list)
        {
            _faults.Add(Place.InFile(file, entry.Line), $"{entry.Key} must be a list (lines that begin with \"- \"), not {entry.Value.Kind}.");
            return;
        }

        for (int i = 0; i < list.Items.Count; i++)
        {
            string name = $"{entry.Key}[{i}]";
            if (IsMap(entry with { Line = list.Items[i].Line }, list.Items[i], file, name, out YamlMap? map))
            {
                read(map, name, Place.InFile(file, map.Line));
            }
        }
    }

    private bool IsMap(YamlEntry entry, YamlNode value, string file, string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out YamlMap? map)
    {
        map = value as YamlMap;
        if (map is null)
        {
            _faults.Add(Place.InFile(file, entry.Line), $"{name} must be a group of options (NAME: VALUE), not {value.Kind}.");
        }

        return map is not null;
    }

    /// <summary>Binds what a table knows, in the table's order, and reports the rest.</summary>
    private void Bind<T>(OptionTable<T> table, YamlMap map, string file, string name, IReadOnlyList<string> alsoKnown, Action<KnownOption<T>, Setting> bind)
    {
        string prefix = name.Length == 0 ? "" : $"{name}.";
        foreach (KnownOption<T> row in table.Rows)
        {
            if (map.Find(row.Key) is { } entry)
            {
                _fileHoldsSecrets |= row.Bound is "secret";
                bind(row, new Setting(Place.InFile(file, entry.Line), prefix + row.Key, entry.Value, _fileDirectory));
            }
        }

        foreach (YamlEntry entry in map.Entries)
        {
            if (alsoKnown.Contains(entry.Key, StringComparer.Ordinal) || table.Find(entry.Key) is not null)
            {
                continue;
            }

            string? nearest = NearestName.Find(entry.Key, [.. table.Rows.Select(row => row.Key), .. alsoKnown]);
            string remedy = nearest is null ? "see docs/CONFIGURATION.md for what there is." : $"did you mean \"{nearest}\"?";
            _faults.Add(Place.InFile(file, entry.Line), $"{prefix}{Shorten(entry.Key)} is not an option; {remedy}");
        }
    }

    private void WarnOfReadableSecrets(string path, string file)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        if (_fileHoldsSecrets && OperatingSystem.IsLinux() && (File.GetUnixFileMode(path) & others) != UnixFileMode.None)
        {
            _faults.Warn(Place.Outside(file), $"the file holds secrets and others may read it; run: chmod 600 {file}");
        }
    }
}
